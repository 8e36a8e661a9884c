"""A batch subscription: many messages at once, in one transaction, for topics of a high rate.

The handler opens the messages and applies them with their inbox rows; what it calls unfit is kept
in the dead-letter topic, and the others have committed. What it fails at is taken apart by halves
until the message to blame is alone. A bad world (database, network, disk) is waited for without
limit, nothing is dead-lettered meanwhile, and offsets are committed after COMMIT alone.
"""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from libs.common.background import background
from libs.common.bus.lag import Lag
from libs.common.bus.letters import bury
from libs.common.bus.link import Broker, Producer, leave
from libs.common.bus.watch import Progress, Stalled, messages_behind
from libs.common.bus.work import TRIES, commit_offsets, group_of, may_pass
from libs.common.events.messages import Message, Unfit
from libs.common.failpoints import reach
from libs.common.service import Running, Subscription
from libs.common.telemetry.logs import logger
from libs.common.telemetry.metrics import (
    MESSAGE_RETRIES,
    MESSAGES_HANDLED,
)

MESSAGES: Final = 256
BYTES: Final = 8 * 1024 * 1024
LAG_SECONDS: Final = 1.0
_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 2.0
Found = Mapping[TopicPartition, Sequence[ConsumerRecord]]
_log = logger(__name__)


class Batches:
    """One lane of a batch subscription of a running service in this process."""

    def __init__(
        self,
        running: Running,
        subscription: Subscription,
        broker: Broker,
        producer: Producer,
        lag: Lag,
        lane: int,
    ) -> None:
        assert subscription.batch is not None
        self._running = running
        self._apply = subscription.batch
        self._topics = [topic.name for topic in subscription.topics]
        self._broker = broker
        self._producer = producer
        self._lag = lag
        self._lane = lane
        self._group = group_of(running.name, subscription)
        # The first message of a partition that cannot be read, where one was found.
        self._unreadable: dict[TopicPartition, int] = {}
        # When the broker took the oldest message that is not applied yet; 0 where there is none.
        self._oldest = 0
        self._at_work = 0

    async def run(self) -> None:
        """Consume for ever; reconnects after whatever the broker does."""
        while True:
            try:
                await self._session()
            except (KafkaError, OSError, Stalled) as problem:
                _log.warning("consumer_restarts", group=self._group, error=repr(problem))
            await asyncio.sleep(1 + random.random())  # noqa: S311 - spreads reconnections

    async def _session(self) -> None:
        consumer = AIOKafkaConsumer(
            *self._topics,
            **self._broker.connection(),
            group_id=self._group,
            group_instance_id=f"{self._group}.{self._broker.member}.{self._lane}",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            fetch_max_bytes=BYTES,
            max_poll_interval_ms=24 * 3600 * 1000,
            session_timeout_ms=15_000,
            heartbeat_interval_ms=2_000,
            request_timeout_ms=20_000,
        )
        try:
            await asyncio.wait_for(consumer.start(), 30)
            async with background(
                {f"{self._group}-lag-{self._lane}": lambda: self._tell_lag(consumer)}
            ):
                await self._consume(consumer)
        except UnicodeDecodeError:
            self._unreadable |= unreadable_in(consumer)
            raise Stalled(f"a message cannot be read: {self._unreadable}") from None
        finally:
            await leave(consumer, self._group)

    async def _consume(self, consumer: AIOKafkaConsumer) -> None:
        progress = Progress(consumer, self._group, tells=False)
        while True:
            for at in self._unreadable.keys() & consumer.assignment():
                await self._step_over(consumer, at, self._unreadable.pop(at))
            found = await consumer.getmany(timeout_ms=1000, max_records=MESSAGES)
            if found:
                await self._take(consumer, found)
            else:
                self._oldest = self._at_work = 0
            await progress.note(moved=bool(found))

    async def _take(self, consumer: AIOKafkaConsumer, found: Found) -> None:
        """Settle messages of some partitions, and commit how far that is."""
        records = [record for part in found.values() for record in part]
        self._oldest = min(record.timestamp for record in records)
        self._at_work = len(records)
        await self._settle(records)
        reach("consumer.after-effect")
        await commit_offsets(consumer, {at: part[-1].offset + 1 for at, part in found.items()})

    async def _step_over(self, consumer: AIOKafkaConsumer, at: TopicPartition, bad: int) -> None:
        """Take what lies before a message that cannot be read, and go on behind it.

        What was sent in one batch with it cannot be read either: aiokafka reads a batch from its
        beginning. A letter says where it lies.
        """
        while (position := await consumer.position(at)) < bad:
            most = min(MESSAGES, bad - position)
            found = await consumer.getmany(at, timeout_ms=1000, max_records=most)
            if found:
                await self._take(consumer, found)
        beyond, found = bad, {}
        while not found:
            beyond += 1
            consumer.seek(at, beyond)
            try:
                found = await consumer.getmany(at, timeout_ms=1000, max_records=1)
            except UnicodeDecodeError:
                continue
            break
        reason = (
            f"offsets {bad} to {beyond - 1}: the name of a header is no UTF-8; the topic has them"
        )
        lost = ConsumerRecord(at.topic, at.partition, bad, 0, 1, b"", b"", None, 0, 0, ())
        await bury(self._producer, self._group, lost, Unfit("headers", reason))
        await commit_offsets(consumer, {at: beyond})
        if found:
            await self._take(consumer, found)

    async def _settle(self, records: Sequence[ConsumerRecord]) -> None:
        """Apply some messages and keep what is unfit among them; ends when that is done."""
        reach("consumer.before-effect")
        messages = [message_of(record) for record in records]
        tries, delay = 0, _FIRST_DELAY
        while True:
            try:
                answers = await self._apply(self._running, messages)
            except Exception as problem:  # noqa: BLE001 - a handler may raise anything
                world = may_pass(problem)
                MESSAGE_RETRIES.labels(self._group, "world" if world else "message").inc()
                if not world and len(records) > 1:
                    _log.info("batch_taken_apart", group=self._group, error=repr(problem))
                    half = len(records) // 2
                    await self._settle(records[:half])
                    await self._settle(records[half:])
                    return
                tries += 0 if world else 1
                if tries >= TRIES:
                    answers = [Unfit("", f"{type(problem).__name__}: {problem}")]
                    break
                _log.warning("batch_waits", group=self._group, error=repr(problem))
            else:
                break
            await asyncio.sleep(delay * (0.5 + random.random()))  # noqa: S311
            delay = min(delay * 2, _LONGEST_DELAY)
        await self._keep_unfit(records, answers)

    async def _keep_unfit(
        self, records: Sequence[ConsumerRecord], answers: Sequence[Unfit | None]
    ) -> None:
        letters = []
        for record, unfit in zip(records, answers, strict=True):
            if unfit is None:
                MESSAGES_HANDLED.labels(self._group, record.topic, "applied").inc()
            else:
                letters.append(bury(self._producer, self._group, record, unfit))
        # Together: who sends a flood of them must not keep the others waiting for each.
        await asyncio.gather(*letters)

    async def _tell_lag(self, consumer: AIOKafkaConsumer) -> None:
        """How far we are behind, in messages and in seconds; also while the database is away."""
        while True:
            try:
                unseen = await messages_behind(consumer, self._group)
            except (KafkaError, OSError, Stalled):
                unseen = 0  # The broker is away, and says so elsewhere.
            seconds = max(0.0, time.time() - self._oldest / 1000) if self._oldest else 0.0
            self._lag.tell(self._lane, unseen + self._at_work, seconds)
            await asyncio.sleep(LAG_SECONDS)


def unreadable_in(consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    """The partitions that a consumer has just failed to read, and at which offset.

    A client that is none of ours may name a header in bytes that are no UTF-8. aiokafka raises there,
    does not say where, and forgets the messages before: the consumer is of no more use then.
    """
    fetched = consumer._fetcher._records  # noqa: SLF001 - there is no other way to it
    found: dict[TopicPartition, int] = {}
    for at, result in fetched.items():
        records = getattr(result, "_partition_records", None)
        reading = getattr(records, "_records_iterator", None)
        if records is not None and (reading is None or reading.gi_frame is None):
            found[at] = records.next_fetch_offset
    return found


def message_of(record: ConsumerRecord) -> Message:
    """A message without what is Kafka's: headers may be absent, doubled or without a value."""
    return Message(
        key=record.key or b"",
        value=record.value or b"",
        headers={name: value or b"" for name, value in record.headers},
        arrived=record.timestamp,
    )
