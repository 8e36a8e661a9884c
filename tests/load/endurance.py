"""Memory under writes that do not end: `python -m tests.load.endurance --minutes 30`.

Points are logged at nine tenths of the published rate, evenly, and the memory of every part is looked
at meanwhile. Ends with 1 where a request failed, a point is missing or the rate was not held.
"""

import argparse
import asyncio
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Final

import uvloop

from libs.embedded import Progress
from tests.load.bench import PERFORMANCE, held, judged, machine_words, say
from tests.load.content import Corpus
from tests.load.operations import OPERATIONS
from tests.load.pacing import Pool
from tests.load.placing import place
from tests.load.report import Table, mega, pipes
from tests.load.seeding import open_site
from tests.load.sides import OURS, Side
from tests.load.staging import Stage
from tests.load.tally import Tally

MARK: Final = "endurance"
SHARE: Final = 0.92
LEAST: Final = 0.9
CONNECTIONS: Final = 64
LOOK_SECONDS: Final = 10.0
# The beginning fills caches; the slope is that of the rest.
_SETTLED: Final = 1 / 3
_PUBLISHED: Final = re.compile(rf"^\| log-metric \| {OURS} \| ([\d,.]+) \|", re.MULTILINE)
Looks = Sequence[tuple[float, Mapping[str, int]]]


@dataclass
class Endurance:
    """The rate asked for, what came of it, and looks at the memory: seconds, bytes by part."""

    published: float
    asked: float
    minutes: float
    tally: Tally
    looks: list[tuple[float, Mapping[str, int]]] = field(default_factory=list)
    missing: int = 0

    @property
    def wrong(self) -> list[str]:
        """What should not be so."""
        found = [f"{self.tally.failed} failed: {self.tally.example}"] if self.tally.failed else []
        found += [f"{self.missing} points are missing"] if self.missing else []
        if self.tally.rate < LEAST * self.published:
            found.append(f"{self.tally.rate:.0f}/s is below {LEAST:.0%} of {self.published:.0f}/s")
        return found


def published_rate(page: str) -> float:
    """What the page says of log-metric; raises LookupError where it says nothing."""
    told = _PUBLISHED.search(page)
    if told is None:
        raise LookupError("no rate of log-metric is published: say --rate")
    return float(told[1].replace(",", ""))


def slope(looks: Looks, part: str | None = None) -> float:
    """Bytes an hour by least squares, of one part or of all together, without the beginning."""
    first = looks[0][0] + (looks[-1][0] - looks[0][0]) * _SETTLED
    rest = [
        (at, sum(sizes.values()) if part is None else sizes[part])
        for at, sizes in looks
        if at >= first
    ]
    mean_at = sum(at for at, _ in rest) / len(rest)
    mean_size = sum(size for _, size in rest) / len(rest)
    spread = sum((at - mean_at) ** 2 for at, _ in rest)
    together = sum((at - mean_at) * (size - mean_size) for at, size in rest)
    return 3600 * together / spread if spread else 0.0


async def endured(side: Side, published: float, rate: float, minutes: float) -> Endurance:
    """Write for so long at that rate, and look."""
    pool = Pool(side.site.place, OPERATIONS["log-metric"](side.site, Corpus.of(1)))
    await pool.connect(CONNECTIONS)
    found = Endurance(published, rate, minutes, pool.tally)
    before = (await side.counting.committed(side.site))["log-metric"]
    watching = asyncio.create_task(_watch(side, found))
    try:
        await pool.run(rate, 60 * minutes)
    finally:
        watching.cancel()
        await pool.leave()
    after = (await side.counting.committed(side.site))["log-metric"]
    found.missing = max(0, side.site.written["log-metric"] - (after - before))
    return found


async def _watch(side: Side, found: Endurance) -> None:
    """Look at the memory until cancelled."""
    began = monotonic()
    while True:
        # Reading what the kernel knows of many processes takes a while.
        found.looks.append((monotonic() - began, await asyncio.to_thread(held, side)))
        say(
            f"  {found.looks[-1][0]:6.0f} s: {mega(sum(found.looks[-1][1].values()))} MB,"
            f" {found.tally.acknowledged:,} points, {found.tally.failed} failed"
        )
        await asyncio.sleep(LOOK_SECONDS)


async def run(asked: argparse.Namespace, folder: Path) -> Endurance:
    """The platform under writes."""
    rate = asked.rate or published_rate(PERFORMANCE.read_text(encoding="utf-8"))
    async with AsyncExitStack() as stack:
        stage = Stage(
            stack, folder, Progress(say), restarts=0, separate=asked.separate, processes=0
        )
        side = await stage.ours()
        await open_site(side.site)
        return await endured(side, rate, SHARE * rate, asked.minutes)


def table(found: Endurance) -> Table:
    """Memory at the beginning, after a third and at the end, and its slope, by part."""
    third = next(sizes for at, sizes in found.looks if at >= found.looks[-1][0] * _SETTLED)
    first, last = found.looks[0][1], found.looks[-1][1]
    rows = [["memory, MB (PSS)", "first", "after a third", "last", "MB an hour since the third"]]
    for part in (*first, None):
        cells = [
            mega(sum(sizes.values()) if part is None else sizes[part])
            for sizes in (first, third, last)
        ]
        rows.append([part or "together", *cells, f"{slope(found.looks, part) / 1e6:+.1f}"])
    return rows


def sentence(found: Endurance) -> str:
    """How many points were written, how fast, and what went wrong."""
    return (
        f"{found.tally.acknowledged:,} points in {found.minutes:g} minutes,"
        f" {found.tally.rate:,.0f}/s, which is {found.tally.rate / found.published:.0%} of"
        f" {found.published:,.0f}/s; P99 {found.tally.milliseconds(0.99):.1f} ms,"
        f" {found.tally.failed} failed, {found.missing} missing."
    )


def main() -> int:
    """Measure; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.endurance", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=0.0, help="instead of the published one")
    parser.add_argument("--separate", action="store_true", help="a process for each service")
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="maestro-endurance-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        found = runner.run(run(asked, Path(folder)))
    lines = [*pipes(table(found)).split("\n"), "", sentence(found)]
    say("\n".join(["", *lines]))
    if asked.write:
        command = f"`python -m tests.load.endurance --minutes {asked.minutes:g}`"
        place(PERFORMANCE, MARK, [f"{command} on {machine_words()}:", "", *lines])
    return judged(found.wrong)


if __name__ == "__main__":
    sys.exit(main())
