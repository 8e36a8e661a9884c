"""The transactional outbox: a change and the facts that tell of it commit together or not at all.

A unit of work is one transaction of one tenant; what is recorded in it is inserted just before
COMMIT, in one statement, and the relay of this process is woken just after.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol
from uuid import UUID, uuid4

import msgspec

from libs.common.contracts.topic import Topic
from libs.common.database.pool import Connection, Database
from libs.common.failpoints import reach
from libs.common.telemetry.tracing import current_traceparent

INSERT: Final = """
INSERT INTO outbox (event_id, topic, type, key, version, payload, tenant, tenant_no, subject,
                    traceparent)
SELECT u.event_id, u.topic, u.type, u.key, u.version, u.payload, $7, $8, $9, $10
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[])
     WITH ORDINALITY AS u (event_id, topic, type, key, version, payload, position)
ORDER BY u.position
"""


class Acting(Protocol):
    """Who a fact is recorded for: a verified principal, or the cause of a consumed event."""

    @property
    def tenant(self) -> str: ...
    @property
    def tenant_no(self) -> int: ...
    @property
    def subject(self) -> str: ...


class Recording(Protocol):
    """What recording needs of a running service."""

    @property
    def name(self) -> str: ...
    @property
    def database(self) -> Database: ...
    @property
    def topic_of(self) -> Mapping[type[msgspec.Struct], Topic]: ...
    async def outdate(self, tenant_no: int, told: Mapping[str, Sequence[str]]) -> None: ...
    def wake_relay(self) -> None: ...


class OutboxColumns(NamedTuple):
    """Facts as the parallel arrays that an INSERT or a SQL function takes, in this order."""

    event_ids: list[UUID]
    topics: list[str]
    types: list[str]
    keys: list[str]
    versions: list[int]
    payloads: list[str]
    tenant: UUID
    tenant_no: int
    subject: str
    traceparent: str


@dataclass(frozen=True, slots=True)
class Caused:
    """The tenant and subject behind a consumed event, for facts that a reaction records."""

    tenant: str
    tenant_no: int
    subject: str


def outbox_columns(
    running: Recording, facts: Sequence[msgspec.Struct], acting: Acting
) -> OutboxColumns:
    """The outbox rows of `facts`, for a function that inserts them itself in one round trip.

    The caller commits, then awaits `running.outdate(…)` and calls `running.wake_relay()`.
    """
    topics = [running.topic_of[type(fact)] for fact in facts]
    return OutboxColumns(
        event_ids=[uuid4() for _ in facts],
        topics=[topic.name for topic in topics],
        types=[topic.type_of(type(fact)) for topic, fact in zip(topics, facts, strict=True)],
        keys=[topic.key(fact) for topic, fact in zip(topics, facts, strict=True)],
        versions=[getattr(fact, "version", 0) for fact in facts],
        payloads=[msgspec.json.encode(fact).decode() for fact in facts],
        tenant=UUID(acting.tenant),
        tenant_no=acting.tenant_no,
        subject=acting.subject,
        traceparent=current_traceparent(),
    )


class UnitOfWork:
    """An open transaction of one tenant and the facts it will tell."""

    def __init__(self, connection: Connection, acting: Acting) -> None:
        self.connection = connection
        self.acting = acting
        self.facts: list[msgspec.Struct] = []
        # By topic, the keys of all that was inserted; of very many nothing else is in memory.
        self.told: dict[str, list[str]] = {}
        self._silent = ""
        self._inserted = False

    def record(self, fact: msgspec.Struct) -> None:
        """Tell `fact` when, and only when, this transaction commits."""
        self.facts.append(fact)

    def silent(self, reason: str) -> None:
        """Declare that this write has nothing to tell, and why."""
        self._silent = reason

    @property
    def tells(self) -> bool:
        """Whether there is any fact for the relay."""
        return self._inserted or bool(self.facts)

    async def flush_page(self, running: Recording) -> None:
        """Insert what is recorded so far and forget it: for writes that tell of very many."""
        if self.facts:
            await self._insert(running)
            self.facts.clear()

    async def flush(self, running: Recording) -> None:
        """Insert the recorded facts; the block's last statement."""
        if self.facts:
            await self._insert(running)
        elif not self._inserted and not self._silent:
            raise RuntimeError("a write recorded no fact and did not say why")

    async def _insert(self, running: Recording) -> None:
        columns = outbox_columns(running, self.facts, self.acting)
        for topic, key in zip(columns.topics, columns.keys, strict=True):
            self.told.setdefault(topic, []).append(key)
        await self.connection.execute(INSERT, *columns)
        self._inserted = True


@asynccontextmanager
async def unit_of_work(running: Recording, acting: Acting) -> AsyncIterator[UnitOfWork]:
    """One transaction of the caller's tenant; commits with its facts, or does nothing."""
    told: Mapping[str, Sequence[str]] = {}
    try:
        async with running.database.transaction(acting.tenant_no) as connection:
            work = UnitOfWork(connection, acting)
            told = work.told
            yield work
            await work.flush(running)
            reach("write.before-commit")
        reach("write.after-commit")
    finally:
        # Also where it ends at COMMIT itself, and nobody knows whether that came to pass.
        await running.outdate(acting.tenant_no, told)
    if work.tells:
        running.wake_relay()
