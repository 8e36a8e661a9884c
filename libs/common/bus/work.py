"""A work subscription: at least once from the topic, effectively once in the database.

Batches are applied in one transaction; when that fails, message by message. A bad message is
tried a few times with back-off and then kept in the dead-letter topic; a bad world (database,
network, disk) is waited for without limit, and nothing is dead-lettered.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from libs.common.bus.letters import bury
from libs.common.bus.link import Broker, Producer, leave
from libs.common.bus.watch import Progress, Stalled
from libs.common.contracts.topic import Topic
from libs.common.database.world import is_world
from libs.common.errors import Refusal
from libs.common.events.envelope import Event, Malformed, Unheard, open_event
from libs.common.events.inbox import take
from libs.common.events.messages import Unfit
from libs.common.events.outbox import Caused, UnitOfWork
from libs.common.failpoints import reach
from libs.common.service import Running, Subscription, Together
from libs.common.telemetry.logs import logger, tenant_of_lines
from libs.common.telemetry.metrics import MESSAGE_RETRIES, MESSAGES_HANDLED

TRIES: Final = 4
BATCH: Final = 200
_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 5.0
_log = logger(__name__)


def group_of(service: str, subscription: Subscription) -> str:
    """The consumer group of a work subscription: `<service>.<name>`."""
    return f"{service}.{subscription.name}"


class Work:
    """One work subscription of a running service in this process."""

    def __init__(
        self, running: Running, subscription: Subscription, broker: Broker, producer: Producer
    ) -> None:
        self._running = running
        self._subscription = subscription
        self._broker = broker
        self._producer = producer
        self._group = group_of(running.name, subscription)
        self._topics = {topic.name: topic for topic in subscription.topics}

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
            group_instance_id=f"{self._group}.{self._broker.member}",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            max_poll_interval_ms=24 * 3600 * 1000,
            session_timeout_ms=15_000,
            heartbeat_interval_ms=2_000,
            request_timeout_ms=20_000,
        )
        try:
            await asyncio.wait_for(consumer.start(), 30)
            progress = Progress(consumer, self._group)
            while True:
                batches = await consumer.getmany(timeout_ms=1000, max_records=BATCH)
                if batches:
                    # One transaction and one commit for all partitions: each keeps its order.
                    await self._apply([one for records in batches.values() for one in records])
                    reach("consumer.after-effect")
                    await commit_offsets(
                        consumer, {at: r[-1].offset + 1 for at, r in batches.items()}
                    )
                await progress.note(moved=bool(batches))
        finally:
            await leave(consumer, self._group)

    async def _apply(self, records: Sequence[ConsumerRecord]) -> None:
        reach("consumer.before-effect")
        try:
            await self._in_one_transaction([self._open(record) for record in records])
        except Exception as problem:  # noqa: BLE001 - each is told apart below, one by one
            if len(records) > 1:
                _log.info("batch_taken_apart", group=self._group, error=repr(problem))
            for record in records:
                await self._apply_one(record)

    async def _apply_one(self, record: ConsumerRecord) -> None:
        tries, delay = 0, _FIRST_DELAY
        while True:
            try:
                await self._in_one_transaction([self._open(record)])
            except Malformed as problem:
                await bury(self._producer, self._group, record, Unfit("", str(problem)))
                return
            except Exception as problem:  # noqa: BLE001 - a handler may raise anything
                world = may_pass(problem)
                MESSAGE_RETRIES.labels(self._group, "world" if world else "message").inc()
                tries += 0 if world else 1
                if tries >= TRIES:
                    reason = f"{type(problem).__name__}: {problem}"
                    await bury(self._producer, self._group, record, Unfit("", reason))
                    return
            else:
                return
            await asyncio.sleep(delay * (0.5 + random.random()))  # noqa: S311
            delay = min(delay * 2, _LONGEST_DELAY)

    def _open(self, record: ConsumerRecord) -> Event | None:
        topic: Topic = self._topics[record.topic]
        try:
            event = open_event(topic, record.headers, record.value)
        except Unheard:
            return None
        return event if self._subscription.handler_of(type(event.fact)) is not None else None

    async def _in_one_transaction(self, events: Sequence[Event | None]) -> None:
        wanted = [event for event in events if event is not None]
        if not wanted:
            return
        # Messages of many traces share a transaction: its span belongs to none and links to all.
        with self._running.tracing.span(
            f"{self._group} batch", links=[event.traceparent for event in wanted]
        ):
            outcomes, facts_left = await self._outdating(wanted)
        kinds = Counter(zip((event.topic for event in wanted), outcomes, strict=True))
        for (topic, outcome), count in kinds.items():
            MESSAGES_HANDLED.labels(self._group, topic, outcome).inc(count)
        if facts_left:
            self._running.wake_relay()

    async def _outdating(self, events: Sequence[Event]) -> tuple[list[str], bool]:
        """Apply events, and do away with what they have outdated, whether or not COMMIT is known."""
        works: list[UnitOfWork] = []
        try:
            return await self._commit(events, works)
        finally:
            outdate = self._running.outdate
            await asyncio.gather(*(outdate(w.acting.tenant_no, w.told) for w in works if w.told))

    async def _commit(
        self, events: Sequence[Event], works: list[UnitOfWork]
    ) -> tuple[list[str], bool]:
        """Apply events in one transaction: the outcome of each, and whether they caused facts."""
        outcomes: list[str] = []
        fresh: list[Event] = []
        facts_left = False
        tenant_no: int | None = None
        async with self._running.database.transaction() as connection:
            new = await take(connection, self._subscription.name, [e.id for e in events])
            for event in events:
                outcomes.append("applied" if event.id in new else "repeated")
                if event.id in new:
                    new.discard(event.id)  # the same message twice in one batch
                    fresh.append(event)
            for _, group in groupby(fresh, self._with_whom):
                those = list(group)
                event = those[0]
                if event.tenant_no != tenant_no:
                    tenant_no = event.tenant_no
                    await connection.execute(
                        "SELECT set_config('app.tenant', $1, true)", str(tenant_no)
                    )
                acting = Caused(event.tenant, event.tenant_no, event.subject)
                work = UnitOfWork(connection, acting)
                work.silent("a projection: its source has told already")
                works.append(work)
                await self._handle(work, those)
                await work.flush(self._running)
                facts_left = facts_left or bool(work.facts)
        return outcomes, facts_left

    def _with_whom(self, event: Event) -> object:
        """The same for events that are handled at once. Where spans are made each has its own."""
        handler = self._subscription.handler_of(type(event.fact))
        if isinstance(handler, Together) and not self._running.tracing.enabled:
            return event.tenant_no, handler
        return event.id

    async def _handle(self, work: UnitOfWork, events: Sequence[Event]) -> None:
        event = events[0]
        handler = self._subscription.handler_of(type(event.fact))
        span = self._running.tracing.span(
            f"{self._group} {event.type}",
            parent=event.traceparent,
            attributes={"messaging.system": "kafka", "messaging.destination.name": event.topic},
        )
        with span, tenant_of_lines(event.tenant_no):
            if isinstance(handler, Together):
                await handler.apply(work, events)
            else:
                await handler(work, event)


def may_pass(problem: BaseException) -> bool:
    """Whether to try again without limit, because the message is not to blame."""
    if isinstance(problem, Refusal):
        return problem.code == "TEMPORARILY_UNAVAILABLE"
    if isinstance(problem, asyncpg.InsufficientPrivilegeError):
        # A grant that is still missing comes; a row of another tenant never becomes allowed.
        return "row-level security" not in str(problem)
    return isinstance(problem, KafkaError) or is_world(problem)


async def commit_offsets(consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]) -> None:
    """What was applied is not delivered again."""
    try:
        await consumer.commit(dict(offsets))
    except (CommitFailedError, IllegalStateError):
        # A partition went to another member meanwhile; it will find the inbox rows.
        _log.info("commit_came_late", partitions=[f"{at.topic}/{at.partition}" for at in offsets])
