"""`make bench`: the platform beside `mlflow server` and FastTrackML, on the same PostgreSQL.

Ends with 1 when an acknowledged row is lost, an answer of ours is wrong, or a multiple of
`mlflow server` is below the floor that `--floor` names.
"""

import argparse
import asyncio
import os
import platform as machine
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import psutil
import uvloop

from libs.embedded import Progress
from tests.load import charts, report
from tests.load.blend import Blend
from tests.load.carrying import Carried, carry
from tests.load.content import Corpus
from tests.load.counting import PLACES, analyze
from tests.load.crowd import crowd
from tests.load.findings import Findings, Mixed, verdict
from tests.load.first_reads import first_reads
from tests.load.generator import Span
from tests.load.operations import OPERATIONS
from tests.load.pacing import paced
from tests.load.resources import usage
from tests.load.rounds import Rounds, found_by
from tests.load.seeding import open_site
from tests.load.sides import OURS, SEPARATE, THEIRS, Side
from tests.load.staging import Stage
from tests.load.visibility import visibility

PERFORMANCE: Final = Path(__file__).parents[2] / "docs" / "performance.md"
SIDES: Final = ("maestro", "mlflow", "fasttrackml")
MIXED_CONNECTIONS: Final = 64


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each operation and side")
    parser.add_argument("--seconds", type=float, default=3.0, help="measured seconds a round")
    parser.add_argument("--clients", type=int, nargs="+", default=[16], help="at the same time")
    parser.add_argument("--runs", type=int, default=2000, help="runs to read and to search")
    parser.add_argument("--only", nargs="+", choices=list(OPERATIONS), default=list(OPERATIONS))
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--separate", action="store_true", help="a process for each service")
    parser.add_argument("--processes", type=int, default=0, help="at the port; 0: as by default")
    parser.add_argument("--rate", type=float, default=1200.0, help="of the mixed load, 0 for none")
    parser.add_argument("--open", type=int, default=5000, help="connections kept open, 0 for none")
    parser.add_argument("--megabytes", type=int, default=256, help="of the artifact, 0 for none")
    parser.add_argument("--quick", action="store_true", help="one short round each, started once")
    parser.add_argument("--floor", type=float, default=0.0, help="fail below this multiple")
    parser.add_argument("--write", action="store_true", help="put the result into the docs")
    return parser


def say(text: str) -> None:
    """One line of progress, at once."""
    print(text, flush=True)


def span_of(asked: argparse.Namespace, clients: int) -> Span:
    """A round's length; slow servers get time for three answers a client, within bounds."""
    seconds = 1.5 if asked.quick else asked.seconds
    warm_up = 0.5 if asked.quick else 1.0
    least = clients * (1 if asked.quick else 3)
    return Span(warm_up, seconds, least=least, most=4 * seconds)


async def run(asked: argparse.Namespace, folder: Path) -> Findings:
    """Start all sides, fill them, load them in turn, and count."""
    task = asyncio.current_task()
    assert task is not None
    # Told to end, it stops what it has started, as it does on Ctrl-C.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    corpus = Corpus.of(asked.runs)
    async with AsyncExitStack() as stack:
        restarts = 0 if asked.quick else 1
        stage = Stage(
            stack,
            folder,
            Progress(say),
            restarts=restarts,
            separate=asked.separate,
            processes=asked.processes,
        )
        found = Findings(command_words(), machine_words(), {})
        sides, before = await opened(stage, asked, corpus, found)
        rounds = Rounds(sides, corpus, stage.settled, say)
        found.results = rounds.results
        if "get-run" in asked.only:
            found.cold = {
                side.name: await first_reads(side.site, asked.clients[0]) for side in sides
            }
        for operation in asked.only:
            for clients in asked.clients:
                for number in range(1, 2 if asked.quick else asked.rounds + 1):
                    await rounds.run(operation, clients, number, span_of(asked, clients))
        found.memory = {
            **found.memory,
            **{(side.name, "after the load"): held(side) for side in sides},
        }
        found.bytes_each = {side.name: await side.counting.bytes_each() for side in sides}
        found.carried = await artifacts(asked, sides)
        for side in [side for side in sides if side.name in (OURS, SEPARATE)]:
            await beyond(asked, side, corpus, found)
            await stage.settled()
        found.rows = {
            key: rows
            for side in sides
            for key, rows in (await compared(side, before[side.name])).items()
        }
    return found


async def opened(
    stage: Stage, asked: argparse.Namespace, corpus: Corpus, found: Findings
) -> tuple[list[Side], dict[str, dict[str, int]]]:
    """The sides with everything in them, and how many rows that is."""
    sides: list[Side] = []
    before = {}
    starting = {"maestro": stage.ours, "mlflow": stage.theirs, "fasttrackml": stage.fast}
    for name in [name for name in SIDES if name in asked.sides]:
        side = await starting[name]()
        if side is None:
            say(f"  {name} is not here: `make bench` unpacks it where a package index is reached")
            continue
        sides.append(side)
        await open_site(side.site)
        found.memory = {**found.memory, (side.name, "idle"): held(side)}
        found.starts = {**found.starts, side.name: side.starts}
        if side.name == OURS:
            found.visible = await visibility(side.site, stage.superuser_url, 50)
        say(f"  {side.name}: {len(corpus.runs)} runs are put in")
        await side.seed(corpus)
        await analyze(side.database_url)
        before[side.name] = await side.counting.committed(side.site)
    await stage.settled()
    return sides, before


async def artifacts(asked: argparse.Namespace, sides: Sequence[Side]) -> dict[str, Carried]:
    """A large artifact up and down, on each side in turn; FastTrackML passes none on."""
    if not asked.megabytes:
        return {}
    size = 16 if asked.quick else asked.megabytes
    known = [side for side in sides if side.name in (OURS, SEPARATE, THEIRS)]
    carried = {side.name: Carried(size) for side in known}
    for number in range(1 if asked.quick else asked.rounds):
        for side in known:
            await carry(side, carried[side.name], number)
    for name, one in carried.items():
        say(f"  artifact, {name}: {one.rate(one.up):.0f} MB/s up, {one.rate(one.down):.0f} down")
    return carried


async def beyond(asked: argparse.Namespace, side: Side, corpus: Corpus, found: Findings) -> None:
    """What only the platform is asked for: the mixed load, and many open connections."""
    if asked.rate:
        asking = Blend(side.site, corpus)
        seconds = 3.0 if asked.quick else 10.0
        # The first moments find connections and plans of statements missing.
        await paced(side.site.place, asking, asked.rate / 4, 1.0, MIXED_CONNECTIONS)
        before = await found_by(side)
        tally = await paced(side.site.place, asking, asked.rate, seconds, MIXED_CONNECTIONS)
        had = (await found_by(side)).since(before)
        found.mixed = {**found.mixed, side.name: Mixed(asked.rate, tally, had)}
        say(f"  mixed load: P99 {tally.milliseconds(0.99):.1f} ms, {tally.failed} failed")
    if asked.open:
        opened = await crowd(side.site, corpus, 3.0 if asked.quick else 10.0, asked.open)
        found.crowds = {**found.crowds, side.name: opened}
        say(f"  {opened.opened} connections: {opened.errors} errors {opened.tally.example}")


async def compared(side: Side, before: dict[str, int]) -> dict[tuple[str, str], tuple[int, int]]:
    """By place: rows that acknowledged requests must have left, and rows that came."""
    after = await side.counting.committed(side.site)
    return {
        (place, side.name): (side.site.written[place], after[place] - before[place])
        for place in (*PLACES, "tenants")
        if side.site.written[place]
    }


def held(side: Side) -> dict[str, int]:
    """Memory by group of processes, bytes."""
    return {name: usage(processes()).memory for name, processes in side.memory.items()}


def machine_words() -> str:
    """The machine, without a name that says whose it is."""
    size = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores and {size:.0f} GiB, shared by PostgreSQL, Apache Kafka, Redis, all"
        f" servers and the load generator; {machine.system()}, Python {machine.python_version()}"
    )


def command_words(command: str = "make bench") -> str:
    """The command that gave a result."""
    return command + (f" ARGS='{' '.join(sys.argv[1:])}'" if sys.argv[1:] else "")


def measured(asked: argparse.Namespace) -> Findings:
    """One run of the bench, in a folder that it leaves nothing in."""
    with (
        tempfile.TemporaryDirectory(prefix="maestro-bench-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(run(asked, Path(folder)))


def judged(wrong: Sequence[str]) -> int:
    """Say what is wrong; the exit status."""
    for line in wrong:
        say(f"FAILED: {line}")
    return 1 if wrong else 0


def main() -> int:
    """Run the bench; gives the exit status."""
    asked = arguments().parse_args()
    found = measured(asked)
    say(f"\n{report.plain(found)}")
    if asked.write:
        report.write(PERFORMANCE, found, charts.save(charts.throughputs(found)))
    return judged(verdict(found, asked.floor))


if __name__ == "__main__":
    sys.exit(main())
