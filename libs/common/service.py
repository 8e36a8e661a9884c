"""A service as a value: what it serves, says, hears and owns, on one page of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from libs.common.access.authority import Ask, Authority
from libs.common.contracts.topic import Topic
from libs.common.database.pool import Database
from libs.common.events.envelope import Event
from libs.common.events.messages import Message, Unfit
from libs.common.events.outbox import UnitOfWork
from libs.common.filters.pages import page_key
from libs.common.http.types import ASGIApp
from libs.common.prefork import ALONE, Replica
from libs.common.principal import Verifier
from libs.common.settings import Common, Shared
from libs.common.telemetry.tracing import Tracing

# By topic, the keys of what facts are about.
Told = Mapping[str, Sequence[str]]
# A topic and one of its partitions.
Place = tuple[str, int]
WorkHandler = Callable[[UnitOfWork, Event], Awaitable[None]]
BroadcastHandler = Callable[["Running", Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Together:
    """A handler that takes facts of one tenant that follow each other at once, and records none."""

    apply: Callable[[UnitOfWork, Sequence[Event]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscription:
    """Which facts call which handler.

    *work*: one group `<service>.<name>` among all replicas, inbox, retries, dead letters; the
    handlers get a unit of work whose transaction holds the inbox row; one that stands in `Together`
    gets many facts with it. *broadcast*: every process
    hears everything from now on; the handlers get the running service. `any_fact` takes the facts
    that `handlers` does not name; others are passed over. `connected` runs at every (re)connect of
    a broadcast, because what was said meanwhile was missed. *tail*: topics that are read only while
    somebody listens; `Running.tails` holds what reads them, and no handler is called. *batch*: as
    work, but `batch` gets many messages as they came and applies them in a transaction of its own,
    with their inbox rows; it answers for each None, or why it is unfit. A process takes part in its
    group as so many `lanes`, each with partitions of its own.
    """

    name: str
    topics: tuple[Topic, ...]
    handlers: Mapping[type[msgspec.Struct], Any] = field(default_factory=dict)
    any_fact: Any = None
    kind: Literal["work", "broadcast", "tail", "batch"] = "work"
    connected: Callable[["Running"], Awaitable[None]] | None = None
    batch: Callable[["Running", Sequence[Message]], Awaitable[list[Unfit | None]]] | None = None
    lanes: int = 1

    @property
    def in_group(self) -> bool:
        """Whether it is shared among all replicas, and keeps what it cannot apply."""
        return self.kind in ("work", "batch")

    def handler_of(self, fact: type[msgspec.Struct]) -> Any:
        """The handler of a fact class, None when this subscription passes it over."""
        if self.batch is not None:
            return self.batch
        return self.handlers.get(fact, self.any_fact)


class Tail(Protocol):
    """Reads topics from their ends for as long as it is `wanted`; see libs/common/bus/tail."""

    wanted: asyncio.Event
    positions: dict[Place, int]
    wants: Callable[[bytes], bool]
    hears: Callable[[Place, int, Event], None]
    lost: Callable[[], None]

    async def begun(self, seconds: float) -> bool:
        """Whether it reads, for which it is waited so long."""

    def place_of(self, topic: Topic, key: bytes) -> Place:
        """Where the messages of a key are; only once it has begun."""

    async def read_back(
        self,
        spans: Mapping[Place, tuple[int, int]],
        wants: Callable[[bytes], bool],
        hears: Callable[[Place, int, Event], bool],
    ) -> bool:
        """Give what was said before to `hears`; False where that is not there any more, or too much."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a topic's aggregates are told again: a query and the fact made of each of its rows.

    `query` takes the tenant's number, the last id told ('' at first) and how many rows to give;
    its first column is the id, ascending. `fact` makes the snapshot fact of a row.
    """

    topic: Topic
    query: str
    fact: Callable[[Any], msgspec.Struct]


@dataclass(frozen=True, slots=True)
class Service:
    """Everything a runner needs to know of a service.

    `tables` declares each table's class: "tenant", "platform: why" or "lookup: why"; the
    catalogue test fails on an undeclared one. `peers` are the services it may call over HTTP.
    `asks` says how to learn what a caller may do, where that is not by asking auth. `outdates` is told
    of each commit with facts, between COMMIT and the answer: by tenant and topic, the keys of what
    the facts are about. `steps` are run once by hand, by their name, and say in a line what they did.
    """

    name: str
    settings: type[Any] | None
    api: Callable[["Running"], ASGIApp]
    publishes: tuple[Topic, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    workers: tuple[Callable[["Running"], Awaitable[None]], ...] = ()
    migrations: Path | None = None
    tables: Mapping[str, str] = field(default_factory=dict)
    peers: tuple[str, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    opens: Callable[["Running"], Any] | None = None
    asks: Callable[["Running"], Ask] | None = None
    outdates: Callable[["Running", int, Told], Awaitable[None]] | None = None
    steps: Mapping[str, Callable[["Running"], Awaitable[str]]] = field(default_factory=dict)


@dataclass(slots=True)
class Running:
    """A service that runs: what its handlers, consumers and workers work with.

    `settings` is the service's own settings value. `state` is what the service's `opens` context
    manager gave: clients and caches that live as long as the service. `tails` are the
    subscriptions of that kind by name. `replica` is which of the processes at one port this is.
    `ending` is set when the process has been asked to end.
    """

    service: Service
    settings: Any
    common: Common
    shared: Shared
    storage: Database | None
    verifier: Verifier
    peers: Mapping[str, ASGIApp]
    tracing: Tracing
    topic_of: Mapping[type[msgspec.Struct], Topic]
    authority: Authority
    wake: Callable[[], None]
    replica: Replica = ALONE
    state: Any = None
    ready: bool = False
    tails: dict[str, Tail] = field(default_factory=dict)
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def name(self) -> str:
        """The service's name."""
        return self.service.name

    @property
    def database(self) -> Database:
        """The service's pool; the gateway owns no data and has none."""
        if self.storage is None:
            raise RuntimeError(f"{self.name} owns no data")
        return self.storage

    @property
    def page_key(self) -> bytes:
        """What this service's page tokens are signed with; every replica has the same."""
        return page_key(self.common.auth_client_secret)

    async def outdate(self, tenant_no: int, told: Told) -> None:
        """What this service keeps of the things that facts are about holds no longer."""
        if self.service.outdates is not None and told:
            await self.service.outdates(self, tenant_no, told)

    def wake_relay(self) -> None:
        """Tell the relay that a commit has just left facts for it."""
        self.wake()


PLATFORM_TABLES: Mapping[str, str] = {
    "outbox": "platform: facts of all tenants, inserted by the app role, read by the relay",
    "inbox": "platform: ids of handled events, no tenant data",
    "known_tenants": "platform: which tenants there are, for walking over all of them",
    "migrations": "platform: what was applied to this schema",
}
