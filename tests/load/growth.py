"""How the cost of reads grows with what is stored: `python -m tests.load.growth`.

Runs are put in by SQL and points through the platform, which packs them as it does anybody's; after
each step searches and histories are timed. The largest sizes take hours and are asked for by name.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvloop

from libs.embedded import Problem, Progress
from tests.load import charts
from tests.load.bench import PERFORMANCE, judged, machine_words, say
from tests.load.content import Corpus
from tests.load.counting import analyze
from tests.load.generator import Span, Workload, drive
from tests.load.growing import HISTORY, RUNS, History, SearchAmong, add_history, add_runs
from tests.load.operations import OPERATIONS
from tests.load.placing import place
from tests.load.report import Table, latency, pipes
from tests.load.seeding import open_site
from tests.load.sides import Side
from tests.load.staging import Stage
from tests.load.tally import Tally

MARK: Final = "growth"
CLIENTS: Final = 4
# On disk, with room for the log that is written ahead: a run with its content, and a point.
RUN_BYTES: Final = 6000
POINT_BYTES: Final = 300
LONGEST: Final = 1_000_000
SHARE: Final = 0.95


@dataclass
class Growth:
    """The rounds by what was asked and how much was stored; `wrong` says what was not right."""

    rounds: dict[str, dict[int, Tally]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def add(self, what: str, size: int, tally: Tally) -> None:
        """One round's result."""
        self.rounds.setdefault(what, {})[size] = tally
        say(f"  {what}, {size:,}: P50 / P95 {words(tally)} ms")
        if tally.failed:
            self.wrong.append(f"{what}, {size:,}: {tally.failed} failed, such as {tally.example}")

    def factor(self, what: str) -> float:
        """How much P95 grows from the first size to the last."""
        tallies = list(self.rounds[what].values())
        first, last = (tally.milliseconds(SHARE) for tally in (tallies[0], tallies[-1]))
        return last / first


def words(tally: Tally) -> str:
    """P50 and P95 in milliseconds."""
    return f"{tally.milliseconds(0.5):.1f} / {tally.milliseconds(SHARE):.1f}"


class Measurement:
    """Grows what is stored on a side, and times reads of it."""

    def __init__(self, side: Side, seconds: float) -> None:
        self.growth = Growth()
        self._side = side
        self._seconds = seconds

    async def runs(self, sizes: Sequence[int], corpus: Corpus) -> None:
        """Searches in all runs of an experiment that grows, and in one beside it that does not."""
        side = self._side
        made = 0
        beside = OPERATIONS["search-runs"](side.site, corpus)
        for size in sizes:
            await add_runs(side.database_url, side.site.experiments[RUNS], made, size - made)
            made = size
            await analyze(side.database_url)
            among = SearchAmong(side.site)
            await self._timed("search in all runs", size, among)
            await self._timed(f"search in {len(corpus.runs):,} of them", size, beside)

    async def points(self, sizes: Sequence[int], longest: int) -> None:
        """Histories down-sampled, of more and more runs; at last one of a very long run."""
        side, names = self._side, list[str]()
        for size in sizes:
            while len(names) * HISTORY < size:
                names.append(await add_history(side.site, HISTORY))
            await analyze(side.database_url)
            some = History(side.site, names, HISTORY)
            await self._timed(f"history of {HISTORY:,} points", size, some)
        name = await add_history(side.site, longest)
        alone = History(side.site, [name], longest)
        await self._timed("history of the longest run", longest, alone, clients=1)

    async def _timed(
        self, what: str, size: int, workload: Workload, clients: int = CLIENTS
    ) -> None:
        span = Span(1.0, self._seconds, least=20, most=6 * self._seconds)
        tally = await drive(self._side.site.place, workload, clients, span)
        self.growth.add(what, size, tally)


async def run(asked: argparse.Namespace, folder: Path) -> Growth:
    """The platform, grown step by step."""
    needed = max(asked.runs) * RUN_BYTES + (max(asked.points) + asked.longest) * POINT_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Problem(
            f"this needs {needed / 1e9:.0f} GB in {folder.parent}: {free / 1e9:.0f} are free"
        )
    async with AsyncExitStack() as stack:
        stage = Stage(stack, folder, Progress(say), restarts=0, separate=False, processes=0)
        side = await stage.ours()
        await open_site(side.site)
        corpus = Corpus.of(2000)
        await side.seed(corpus)
        measurement = Measurement(side, asked.seconds)
        await measurement.runs(asked.runs, corpus)
        await measurement.points(asked.points, asked.longest)
    return measurement.growth


def table(growth: Growth) -> Table:
    """One line for each question and size."""
    rows = [["asked", "stored", "P50 / P99 ms", "P95 ms", "P95 of the last over the first"]]
    for what, tallies in growth.rounds.items():
        for number, (size, tally) in enumerate(tallies.items()):
            last = number == len(tallies) - 1
            factor = f"{growth.factor(what):.2f} ×" if last and number else ""
            p95 = f"{tally.milliseconds(SHARE):.1f}"
            rows.append([what, f"{size:,}", latency(tally), p95, factor])
    return rows


def chart(growth: Growth) -> dict[str, str]:
    """P95 by what is stored."""
    points = {
        what: [(float(size), tally.milliseconds(SHARE)) for size, tally in tallies.items()]
        for what, tallies in growth.rounds.items()
        if len(tallies) > 1
    }
    return {"growth.svg": charts.lines("P95 by runs or points stored", "ms", points)}


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.growth", description=__doc__)
    parser.add_argument(
        "--runs", type=int, nargs="+", default=[10_000, 100_000], help="sizes, ascending"
    )
    parser.add_argument(
        "--points", type=int, nargs="+", default=[1_000_000, 10_000_000], help="sizes, ascending"
    )
    parser.add_argument("--longest", type=int, default=LONGEST, help="points of the longest run")
    parser.add_argument("--seconds", type=float, default=5.0, help="measured for each figure")
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    return parser


def measured(asked: argparse.Namespace, command: str) -> Sequence[str]:
    """Grow, print, and put it into the docs where asked to; what is wrong."""
    with (
        tempfile.TemporaryDirectory(prefix="maestro-growth-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        growth = runner.run(run(asked, Path(folder)))
    lines = pipes(table(growth)).split("\n")
    say("\n".join(["", *lines]))
    if asked.write:
        shown = charts.save(chart(growth))
        place(PERFORMANCE, MARK, [f"`{command}` on {machine_words()}:", "", *shown, "", *lines])
    return growth.wrong


def main() -> int:
    """Measure; gives the exit status."""
    asked = arguments().parse_args()
    sizes = f"--runs {' '.join(map(str, asked.runs))} --points {' '.join(map(str, asked.points))}"
    return judged(measured(asked, f"python -m tests.load.growth {sizes}"))


if __name__ == "__main__":
    sys.exit(main())
