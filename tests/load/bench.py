"""`make bench`: the platform and `mlflow server` under the same load, on the same PostgreSQL.

Ends with 1 when an acknowledged row is lost, an answer of ours is wrong, or a ratio is below the
floor that `--floor` names.
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

import psutil
import uvloop

from libs.embedded import Progress
from tests.load import report
from tests.load.content import Corpus
from tests.load.counting import analyze, committed
from tests.load.generator import Span
from tests.load.operations import OPERATIONS, ROWS_EACH
from tests.load.report import Findings
from tests.load.resources import usage
from tests.load.rounds import Rounds
from tests.load.seeding import open_site
from tests.load.sides import OURS, THEIRS, Side
from tests.load.staging import Stage
from tests.load.visibility import visibility

PERFORMANCE = Path(__file__).parents[2] / "docs" / "performance.md"
SIDES = {"maestro": OURS, "mlflow": THEIRS}


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each operation and side")
    parser.add_argument("--seconds", type=float, default=5.0, help="measured seconds a round")
    parser.add_argument("--clients", type=int, default=16, help="connections at the same time")
    parser.add_argument("--runs", type=int, default=2000, help="runs to read and to search")
    parser.add_argument("--only", nargs="+", choices=list(OPERATIONS), default=list(OPERATIONS))
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--separate", action="store_true", help="a process for each service")
    parser.add_argument("--quick", action="store_true", help="one short round each, started once")
    parser.add_argument("--floor", type=float, default=0.0, help="fail below this ratio")
    parser.add_argument("--write", action="store_true", help="put the result into the docs")
    return parser


def say(text: str) -> None:
    """One line of progress, at once."""
    print(text, flush=True)


def span_of(asked: argparse.Namespace) -> Span:
    """A round's length; slow servers get time for three answers a client, within bounds."""
    seconds = 2.0 if asked.quick else asked.seconds
    warm_up = 0.5 if asked.quick else 1.0
    least = asked.clients * (1 if asked.quick else 3)
    return Span(warm_up, seconds, least=least, most=4 * seconds)


async def run(asked: argparse.Namespace, folder: Path) -> Findings:
    """Start both sides, fill them, load them in turn, and count."""
    task = asyncio.current_task()
    assert task is not None
    # Told to end, it stops what it has started, as it does on Ctrl-C.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    corpus = Corpus.of(asked.runs)
    restarts = 0 if asked.quick else 1
    memory: dict[tuple[str, str], dict[str, int]] = {}
    visible: list[float] = []
    async with AsyncExitStack() as stack:
        stage = Stage(stack, folder, Progress(say), restarts=restarts, separate=asked.separate)
        sides: list[Side] = []
        for name in [name for name in SIDES if name in asked.sides]:
            side = await (stage.ours() if name == "maestro" else stage.theirs())
            sides.append(side)
            await open_site(side.site)
            memory[side.name, "idle"] = held(side)
            if side.name == OURS:
                visible = await visibility(side.site, stage.superuser_url, 50)
            say(f"  {side.name}: {len(corpus.runs)} runs are put in")
            await side.seed(corpus)
            await analyze(side.database_url)
        rounds = Rounds(sides, corpus, stage.settled, asked.clients, say)
        for operation in asked.only:
            for number in range(1, 2 if asked.quick else asked.rounds + 1):
                await rounds.run(operation, number, span_of(asked))
        for side in sides:
            memory[side.name, "after the load"] = held(side)
        rows = [found for side in sides for found in await compared(side, rounds)]
    return Findings(
        command="make bench" + (f" ARGS='{' '.join(sys.argv[1:])}'" if sys.argv[1:] else ""),
        machine=machine_words(),
        results=rounds.results,
        rows={(operation, name): (due, seen) for operation, name, due, seen in sorted(rows)},
        starts={side.name: side.starts for side in sides},
        memory=memory,
        visible=visible,
    )


async def compared(side: Side, rounds: Rounds) -> list[tuple[str, str, int, int]]:
    """By operation: rows that acknowledged requests must have left, and rows that are there."""
    found = await committed(side.database_url, side.rows, side.site.experiments)
    return [
        (operation, side.name, result.acknowledged * ROWS_EACH[operation], found[operation])
        for (operation, name), result in rounds.results.items()
        if name == side.name and operation in ROWS_EACH
    ]


def held(side: Side) -> dict[str, int]:
    """Memory by group of processes, bytes."""
    return {name: usage(processes()).memory for name, processes in side.memory.items()}


def machine_words() -> str:
    """The machine, without a name that says whose it is."""
    size = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores and {size:.0f} GiB, shared by PostgreSQL, Apache Kafka, Redis, both"
        f" servers and the load generator; {machine.system()}, Python {machine.python_version()}"
    )


def verdict(found: Findings, floor: float) -> Sequence[str]:
    """What is wrong with the result; empty when nothing is."""
    wrong = [f"{lost} acknowledged rows are lost" for lost in [found.lost] if lost]
    for (operation, side), result in found.results.items():
        if side == OURS and result.failed:
            wrong.append(f"{operation}: {result.failed} failed, such as {result.example}")
        if side == OURS and (operation, THEIRS) in found.results:
            ratio = found.ratio(operation)
            if ratio < floor:
                wrong.append(f"{operation}: {ratio:.1f} times mlflow server, under {floor:g}")
    return wrong


def main() -> int:
    """Run the bench; gives the exit status."""
    asked = arguments().parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="maestro-bench-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        found = runner.run(run(asked, Path(folder)))
    say(f"\n{report.plain(found)}")
    if asked.write:
        report.write(PERFORMANCE, found)
    wrong = verdict(found, asked.floor)
    for line in wrong:
        say(f"FAILED: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
