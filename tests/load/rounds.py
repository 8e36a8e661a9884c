"""The alternating rounds: each operation on one side, then on the others, and over again."""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import psutil

from tests.load.caching import Found
from tests.load.content import Corpus
from tests.load.generator import Span, Workload, drive
from tests.load.operations import OPERATIONS
from tests.load.resources import usage
from tests.load.sides import OURS, SEPARATE, THEIRS, Side
from tests.load.tally import Tally, percentile

Say = Callable[[str], None]
# An operation, a side and a number of clients.
Key = tuple[str, str, int]
# What not every side can be asked: FastTrackML gives no samples of a history, and the peers know
# no tenants.
ONLY: Final[Mapping[str, tuple[str, ...]]] = {
    "get-history": (OURS, SEPARATE, THEIRS),
    "log-metric-64-tenants": (OURS, SEPARATE),
}


@dataclass
class Result:
    """All rounds of one operation on one side with so many clients."""

    operation: str
    side: str
    clients: int
    rounds: list[Tally] = field(default_factory=list)
    # Processor seconds of each group of processes over all rounds.
    spent: dict[str, float] = field(default_factory=dict)
    # Seconds until the facts of a round were published and handled, for each round.
    settled: list[float] = field(default_factory=list)
    # What its caches were asked in all rounds.
    found: Found = field(default_factory=Found)

    @property
    def rate(self) -> float:
        """The median of the rounds, requests a second."""
        return median(tally.rate for tally in self.rounds)

    @property
    def acknowledged(self) -> int:
        """Right answers in all rounds, warm-ups too."""
        return sum(tally.acknowledged for tally in self.rounds)

    @property
    def failed(self) -> int:
        """Requests without a right answer in all rounds."""
        return sum(tally.failed for tally in self.rounds)

    @property
    def example(self) -> str:
        """The first answer that was not right."""
        return next((tally.example for tally in self.rounds if tally.example), "")

    def milliseconds(self, share: float) -> float:
        """A latency's percentile over all rounds together."""
        return percentile(sorted(x for tally in self.rounds for x in tally.latencies), share) * 1000

    def spent_each(self, group: str) -> float:
        """Processor milliseconds of a group of processes for one right answer."""
        return self.spent.get(group, 0.0) * 1000 / max(1, self.acknowledged)


class Rounds:
    """Runs the rounds and keeps their results."""

    def __init__(
        self,
        sides: Sequence[Side],
        corpus: Corpus,
        settled: Callable[[], Awaitable[float]],
        say: Say,
    ) -> None:
        self.results: dict[Key, Result] = {}
        self._sides = sides
        self._corpus = corpus
        self._settled = settled
        self._say = say
        self._workloads: dict[tuple[str, str], Workload] = {}

    async def run(self, operation: str, clients: int, number: int, span: Span) -> None:
        """One round of `operation` on each side that knows it; who is first changes."""
        asked = [side for side in self._sides if side.name in ONLY.get(operation, (side.name,))]
        for side in asked if number % 2 else reversed(asked):
            key = (operation, side.name, clients)
            result = self.results.setdefault(key, Result(*key))
            await self._round(side, result, span)
            self._say(_line(result, number))

    async def _round(self, side: Side, result: Result, span: Span) -> None:
        workload = self._workload(result.operation, side)
        before, found = spent(side), await found_by(side)
        tally = await drive(side.site.place, workload, result.clients, span)
        result.found += (await found_by(side)).since(found)
        result.rounds.append(tally)
        result.settled.append(await self._settled())
        for group, seconds in spent(side).items():
            gone = seconds - before.get(group, 0.0)
            result.spent[group] = result.spent.get(group, 0.0) + gone

    def _workload(self, operation: str, side: Side) -> Workload:
        """The same one in all rounds, so that what it has drawn does not come again."""
        key = (operation, side.name)
        if key not in self._workloads:
            self._workloads[key] = OPERATIONS[operation](side.site, self._corpus)
        return self._workloads[key]


async def found_by(side: Side) -> Found:
    """What the side's caches have been asked so far."""
    return await side.found() if side.found is not None else Found()


def _line(result: Result, number: int) -> str:
    """A round in a line, with what is unusual about it."""
    tally, settled = result.rounds[-1], result.settled[-1]
    line = (
        f"  {result.operation:<21} {result.clients:>3} clients, round {number}"
        f"  {result.side:<20} {tally.rate:9.1f}/s"
        f"  P50 {tally.milliseconds(0.5):7.1f} ms  P99 {tally.milliseconds(0.99):7.1f} ms"
    )
    if settled > 1:
        line += f"  facts handled {settled:.1f} s later"
    if tally.failed:
        line += f"  {tally.failed} failed, such as {tally.example or 'a broken connection'}"
    return line


def spent(side: Side) -> dict[str, float]:
    """Processor seconds so far of each group of the side's processes, and of the generator."""
    groups = {
        name: usage(processes(), memory=False).seconds for name, processes in side.processor.items()
    }
    own = psutil.Process(os.getpid())
    return groups | {"generator": usage([own], memory=False).seconds}
