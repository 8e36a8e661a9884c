"""A tail: topics that every process reads from their ends, but only while somebody listens there.

Each message is told with its place, so that a listener who comes back can be told what it missed.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from libs.common.bus.link import Broker, leave
from libs.common.bus.watch import Progress, Stalled
from libs.common.contracts.topic import Topic
from libs.common.events.envelope import Event, Malformed, Unheard, open_event
from libs.common.service import Place, Subscription
from libs.common.telemetry.logs import logger

# What one look at the past may read, and how many look at once.
MOST_READ_BACK: Final = 50_000
READ_BACK_SECONDS: Final = 10.0
_LOOKS_AT_ONCE: Final = 2
# In one go, so that requests get between.
_AT_ONCE: Final = 250
_POLL_MS: Final = 500
_log = logger(__name__)
_partition_of: Final = DefaultPartitioner()


class Tail:
    """One subscription of kind *tail* in this process.

    While `wanted` is set it reads; a session that breaks off is taken up where it was, and `lost`
    is called where that place is gone. `wants` picks by a message's key (`<tenant>/<id>`) what is
    opened and given to `hears`, in order for each place; `positions` are the offsets that come next.
    """

    def __init__(self, service: str, subscription: Subscription, broker: Broker) -> None:
        self._name = f"{service}.{subscription.name}"
        self._broker = broker
        self._topics = {topic.name: topic for topic in subscription.topics}
        self._partitions: dict[str, list[int]] = {}
        self._reading = asyncio.Event()
        self._looks = asyncio.Semaphore(_LOOKS_AT_ONCE)
        self.wanted = asyncio.Event()
        self.positions: dict[Place, int] = {}
        self.wants: Callable[[bytes], bool] = _nothing
        self.hears: Callable[[Place, int, Event], None] = _ignored
        self.lost: Callable[[], None] = _nobody

    async def run(self) -> None:
        """Read whenever that is wanted; forever."""
        while True:
            await self.wanted.wait()
            try:
                await self._session()
            except (KafkaError, OSError, Stalled, TimeoutError) as problem:
                _log.warning("tail_restarts", name=self._name, error=repr(problem))
                await asyncio.sleep(1)

    async def begun(self, seconds: float) -> bool:
        """Whether it reads, for which it is waited so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._reading.wait()
        except TimeoutError:
            return False
        return True

    def place_of(self, topic: Topic, key: bytes) -> Place:
        """Where the messages of a key are; only once it has begun."""
        partitions = self._partitions[topic.name]
        return topic.name, _partition_of(key, partitions, partitions)

    async def read_back(
        self,
        spans: Mapping[Place, tuple[int, int]],
        wants: Callable[[bytes], bool],
        hears: Callable[[Place, int, Event], bool],
    ) -> bool:
        """Give the wanted messages of `spans` (from, before) to `hears`, in order for each place.

        False where some are not kept any more, or there is more to read than one may ask for;
        `hears` says so of what it was given by giving False itself.
        """
        left = {place: span for place, span in spans.items() if span[0] < span[1]}
        if not left:
            return True
        if sum(end - start for start, end in left.values()) > MOST_READ_BACK:
            return False
        async with self._looks:
            consumer = self._consumer()
            try:
                async with asyncio.timeout(READ_BACK_SECONDS):
                    await consumer.start()
                    return await self._spans(consumer, left, wants, hears)
            except (KafkaError, OSError, TimeoutError) as problem:
                _log.warning("tail_not_read_back", name=self._name, error=repr(problem))
                return False
            finally:
                await leave(consumer, self._name)

    def _consumer(self, *topics: str) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            *topics,
            **self._broker.connection(),
            group_id=None,
            auto_offset_reset="latest",
            enable_auto_commit=False,
            request_timeout_ms=20_000,
        )

    async def _session(self) -> None:
        consumer = self._consumer(*self._topics)
        try:
            await asyncio.wait_for(consumer.start(), 30)
            await self._place(consumer)
            self._reading.set()
            progress = Progress(consumer, self._name)
            while self.wanted.is_set():
                batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
                for partition, records in batches.items():
                    self._take((partition.topic, partition.partition), records)
                await progress.note(moved=bool(batches))
            # Nobody listens: what is said from now on is nobody's here.
            self.positions = {}
        finally:
            self._reading.clear()
            await leave(consumer, self._name)

    async def _place(self, consumer: AIOKafkaConsumer) -> None:
        """Go on where the last session was, or begin at the ends."""
        assigned = consumer.assignment()
        self._partitions = {
            name: sorted(consumer.partitions_for_topic(name) or ()) for name in self._topics
        }
        firsts = await consumer.beginning_offsets(assigned)
        ends = await consumer.end_offsets(assigned)
        kept = self.positions
        at = {(p.topic, p.partition): end for p, end in ends.items()}
        if kept and all(
            firsts[p] <= kept.get((p.topic, p.partition), -1) <= ends[p] for p in assigned
        ):
            at = dict(kept)
        elif kept:
            self.lost()
        for partition in assigned:
            consumer.seek(partition, at[partition.topic, partition.partition])
        self.positions = at

    def _take(self, place: Place, records: Iterable[ConsumerRecord]) -> None:
        for record in records:
            if record.offset != self.positions[place]:
                # The broker has dropped what came between.
                self.lost()
            self.positions[place] = record.offset + 1
            if record.key is None or not self.wants(record.key):
                continue
            event = self._opened(record)
            if event is not None:
                self.hears(place, record.offset, event)

    def _opened(self, record: ConsumerRecord) -> Event | None:
        try:
            return open_event(self._topics[record.topic], record.headers, record.value)
        except Unheard:
            return None
        except Malformed as problem:
            _log.error("tail_malformed", topic=record.topic, reason=str(problem))
            return None

    async def _spans(
        self,
        consumer: AIOKafkaConsumer,
        spans: Mapping[Place, tuple[int, int]],
        wants: Callable[[bytes], bool],
        hears: Callable[[Place, int, Event], bool],
    ) -> bool:
        partitions = {TopicPartition(*place): span for place, span in spans.items()}
        consumer.assign(list(partitions))
        firsts = await consumer.beginning_offsets(list(partitions))
        ends = await consumer.end_offsets(list(partitions))
        if any(start < firsts[p] or end > ends[p] for p, (start, end) in partitions.items()):
            return False
        for partition, (start, _) in partitions.items():
            consumer.seek(partition, start)
        open_ones = dict(partitions)
        while open_ones:
            batches = await consumer.getmany(*open_ones, timeout_ms=_POLL_MS, max_records=_AT_ONCE)
            for partition, records in batches.items():
                place, end = (partition.topic, partition.partition), partitions[partition][1]
                for record in records:
                    if record.offset >= end or record.key is None or not wants(record.key):
                        continue
                    event = self._opened(record)
                    if event is not None and not hears(place, record.offset, event):
                        return False
                if records[-1].offset + 1 >= end:
                    open_ones.pop(partition, None)
            await asyncio.sleep(0)
        return True


def _nothing(_: bytes) -> bool:
    return False


def _ignored(_: Place, __: int, ___: Event) -> None:
    return


def _nobody() -> None:
    return
