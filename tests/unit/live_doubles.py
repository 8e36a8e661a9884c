"""Topics, processes and clients of live events, all in memory, that move when a test says so."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import msgspec

from libs.common.contracts.topic import Topic
from libs.common.contracts.tracking import (
    RUN_METRICS,
    RUNS,
    MetricsLogged,
    RunPoints,
)
from libs.common.events.envelope import Event
from libs.common.service import Place, Running, Tail
from services.tracking.live.channel import Subject
from services.tracking.live.hub import Hub
from services.tracking.live.items import messages
from services.tracking.live.listener import Listener
from services.tracking.live.places import read, written

TENANT, OTHER = str(UUID(int=1)), str(UUID(int=2))
POINTS: Place = (RUN_METRICS.name, 3)
CHANGES: Place = (RUNS.name, 7)
EXPERIMENTS = {"a" * 32: 1, "b" * 32: 1, "c" * 32: 2}
RUN, BESIDE, ELSEWHERE = EXPERIMENTS
SUBJECTS = [Subject(TENANT, RUN), Subject(TENANT, ELSEWHERE), Subject(TENANT, "", 1)]
Told = list[tuple[str, int]]


@dataclass
class Log:
    """The topics, both of one partition here: what was said, in order."""

    said: dict[Place, list[tuple[bytes, Event]]] = field(
        default_factory=lambda: {POINTS: [], CHANGES: []}
    )

    def say(self, fact: msgspec.Struct, tenant: str = TENANT) -> None:
        """A fact comes."""
        topic, place = (RUN_METRICS, POINTS) if isinstance(fact, MetricsLogged) else (RUNS, CHANGES)
        event = Event(
            id=UUID(int=0),
            type=topic.type_of(type(fact)),
            topic=topic.name,
            key=topic.key(fact),
            tenant=tenant,
            tenant_no=UUID(tenant).int,
            subject="",
            version=0,
            time="2026-01-01T00:00:00+00:00",
            traceparent="",
            fact=fact,
        )
        self.said[place].append((f"{tenant}/{event.key}".encode(), event))


@dataclass
class Process:
    """A process with its hub, and a tail that reads on when it is told to."""

    log: Log
    hub: Hub = field(default_factory=Hub)
    positions: dict[Place, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.positions = {place: len(said) for place, said in self.log.said.items()}
        self.hub._tail = cast("Tail", self)
        self.hub.standing = dict(self.positions)
        database = SimpleNamespace(reading=_reading)
        self.running = cast("Running", SimpleNamespace(database=database))

    def place_of(self, topic: Topic, _: bytes) -> Place:
        """Where the messages of a key are."""
        return POINTS if topic is RUN_METRICS else CHANGES

    def reads(self, most: int = 1_000_000) -> None:
        """The tail reads on."""
        for place, said in self.log.said.items():
            for key, event in said[self.positions[place] :][:most]:
                self.positions[place] += 1
                if self.hub._wants(key):
                    self.hub._hear(place, self.positions[place] - 1, event)

    async def tells(self) -> None:
        """What was read is handed out."""
        await self.hub._hand_out(self.running)

    async def read_back(
        self,
        spans: Mapping[Place, tuple[int, int]],
        wants: Callable[[bytes], bool],
        hears: Callable[[Place, int, Event], bool],
    ) -> bool:
        """What was said before."""
        for place, (start, end) in spans.items():
            for offset in range(start, end):
                key, event = self.log.said[place][offset]
                if wants(key) and not hears(place, offset, event):
                    return False
        return True


@dataclass
class Client:
    """Somebody who listens, leaves, and comes back with the last event's id."""

    subject: Subject
    last: str = ""
    began: dict[Place, int] = field(default_factory=dict)
    told: Told = field(default_factory=list)
    left_out: int = 0
    _leaves: ExitStack = field(default_factory=ExitStack)
    _listener: Listener | None = None

    async def comes(self, process: Process) -> bool:
        """Whether it was told what it missed, for which the process reads as far as it has come."""
        listener, hub, standing = Listener(_nobody_minds), process.hub, read(self.last)
        if standing is not None:
            if any(hub.standing[place] < at for place, at in standing.items()):
                process.reads()
                await process.tells()
            assert await hub.reaches(self.subject, standing)
        channel = self._leaves.enter_context(hub.listened(self.subject, listener))
        here, first = channel.standing, []
        if standing is not None:
            missed = await hub.missed(process.running, channel, standing)
            if missed is None:
                return False
            first = list(messages(missed, standing, here))
        else:
            self.began, self.last = dict(here), written(here)
        listener.start(first)
        self._listener = listener
        return True

    async def takes(self) -> None:
        """Read what has come."""
        while self._listener is not None and self._listener._waiting:
            for raw in (await self._listener.taken()).split(b"\n\n")[:-1]:
                name, event_id, data = (line.partition(b": ")[2] for line in raw.split(b"\n"))
                self.last, content = event_id.decode(), msgspec.json.decode(data)
                if name == b"metrics":
                    self.told += [(one["run_id"], one["step"]) for one in content["points"]]
                    self.left_out += content.get("left_out", 0)
                else:
                    self.told.append((content["run_id"], int(content["tags"]["n"])))

    def leaves(self) -> None:
        """It goes, and what it has not read is lost to it."""
        self._leaves.close()
        self._listener = None


@asynccontextmanager
async def _reading(_: int) -> AsyncIterator[None]:
    yield


async def _nobody_minds() -> None:
    return


def part(run_id: str, *steps: int) -> RunPoints:
    """Points of a run."""
    values: list[tuple[str, float | str, int, int]] = [("m", 0.5, 7, step) for step in steps]
    return RunPoints(run_id=run_id, steps={"m": max(steps)}, points=len(steps), values=values)


def about(subject: Subject, run_id: str) -> bool:
    """Whether a run is what a subject is about."""
    return run_id == subject.run_id or EXPERIMENTS[run_id] == subject.experiment_id
