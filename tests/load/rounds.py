"""The alternating rounds: each operation on one side, then on the other, and over again."""

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

import psutil

from tests.load.content import Corpus
from tests.load.generator import Span, drive
from tests.load.operations import OPERATIONS
from tests.load.resources import usage
from tests.load.sides import Side
from tests.load.tally import Tally, percentile

Say = Callable[[str], None]


@dataclass
class Result:
    """All rounds of one operation on one side."""

    operation: str
    side: str
    rounds: list[Tally] = field(default_factory=list)
    # Processor seconds of each group of processes over all rounds.
    spent: dict[str, float] = field(default_factory=dict)
    # Seconds until the facts of a round were published and handled, for each round.
    settled: list[float] = field(default_factory=list)

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
    """Runs the rounds and keeps their results by (operation, side)."""

    def __init__(
        self,
        sides: Sequence[Side],
        corpus: Corpus,
        settled: Callable[[], Awaitable[float]],
        clients: int,
        say: Say,
    ) -> None:
        self.results: dict[tuple[str, str], Result] = {}
        self._sides = sides
        self._settled = settled
        self._clients = clients
        self._say = say
        self._workloads = {
            (name, side.name): make(side.site, corpus)
            for name, make in OPERATIONS.items()
            for side in sides
        }

    async def run(self, operation: str, number: int, span: Span) -> None:
        """One round of `operation` on each side."""
        for side in self._sides:
            key = (operation, side.name)
            result = self.results.setdefault(key, Result(*key))
            before = spent(side)
            tally = await drive(side.site.place, self._workloads[key], self._clients, span)
            result.rounds.append(tally)
            result.settled.append(await self._settled())
            after = spent(side)
            for group, seconds in after.items():
                gone = seconds - before[group]
                result.spent[group] = result.spent.get(group, 0.0) + gone
            self._say(_line(result, number))


def _line(result: Result, number: int) -> str:
    """A round in a line, with what is unusual about it."""
    tally, settled = result.rounds[-1], result.settled[-1]
    line = (
        f"  {result.operation:<12} round {number}  {result.side:<14} {tally.rate:9.1f}/s"
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
