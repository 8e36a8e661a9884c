"""A training of 100,000 `mlflow.log_metric` calls: `python -m tests.load.training`.

The stock client's script runs against the platform and, for a part of the calls, against the servers
beside it, whose time for all of them is told from that part. Ends with 1 where a point is missing.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop

from libs.embedded import Progress
from libs.embedded.ports import HOST
from tests.load.bench import PERFORMANCE, SIDES, judged, machine_words, say
from tests.load.placing import place
from tests.load.report import pipes
from tests.load.seeding import open_site
from tests.load.sides import OURS, Side
from tests.load.staging import Stage

MARK: Final = "training"
CLIENT: Final = Path(__file__).with_name("training_client.py")
ROOT: Final = Path(__file__).parents[2]
# How the client logs: it waits for each answer, or a thread of its own sends what has come up.
MODES: Final = {"each": "one by one", "later": "`synchronous=False`"}
_UNCOUNTED: Final = 5


@dataclass(frozen=True)
class Training:
    """How long a side took for `calls` calls, and how many of their points were there afterwards."""

    side: str
    mode: str
    calls: int
    seconds: float
    stored: int

    def whole(self, calls: int) -> float:
        """The seconds for `calls` calls, at the same pace."""
        return self.seconds * calls / self.calls


async def trained(side: Side, mode: str, calls: int) -> Training:
    """One training on a side; raises RuntimeError with the client's words when it fails."""
    before = (await side.counting.committed(side.site))["log-metric"]
    given = {
        **{key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")},
        "MLFLOW_TRACKING_URI": f"http://{HOST}:{side.site.port}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "false",
        "TRAINING_EXPERIMENT": side.site.experiments["metric"],
        "PYTHONPATH": str(ROOT),
    }
    if side.site.token:
        given["MLFLOW_TRACKING_TOKEN"] = side.site.token
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CLIENT), str(calls), mode),
        env=given,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, problems = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise RuntimeError(f"{side.name}: {problems.decode()[-2000:]}")
    seconds = float(json.loads(out.decode().splitlines()[-1])["seconds"])
    after = (await side.counting.committed(side.site))["log-metric"]
    return Training(side.name, mode, calls, seconds, after - before - _UNCOUNTED)


async def run(asked: argparse.Namespace, folder: Path) -> list[Training]:
    """All sides in turn, each with both ways of logging."""
    found = []
    async with AsyncExitStack() as stack:
        stage = Stage(stack, folder, Progress(say), restarts=0, separate=False, processes=0)
        starting = {"maestro": stage.ours, "mlflow": stage.theirs, "fasttrackml": stage.fast}
        for name in [name for name in SIDES if name in asked.sides]:
            side = await starting[name]()
            if side is None:
                continue
            await open_site(side.site)
            calls = asked.calls if side.name == OURS else min(asked.calls, asked.part)
            for mode in MODES:
                found.append(await trained(side, mode, calls))
                say(f"  {side.name}, {mode}: {calls:,} calls in {found[-1].seconds:.1f} s")
    return found


def table(found: Sequence[Training], calls: int) -> list[list[str]]:
    """One line a side and way; what was told from a part says so."""
    rows = [[f"{calls:,} `log_metric` calls", "how", "seconds", "points missing", "times as long"]]
    for mode, words in MODES.items():
        of_mode = [one for one in found if one.mode == mode]
        ours = next((one.whole(calls) for one in of_mode if one.side == OURS), None)
        for one in of_mode:
            told = "" if one.calls == calls else f" (told from {one.calls:,})"
            times = "–" if ours is None else f"{one.whole(calls) / ours:.1f}"
            rows.append(
                [
                    *(one.side, words, f"{one.whole(calls):,.0f}{told}"),
                    *(str(one.calls - one.stored), times),
                ]
            )
    return rows


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.training", description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000, help="of a training")
    parser.add_argument("--part", type=int, default=5000, help="of them on the servers beside")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    return parser


def measured(asked: argparse.Namespace, command: str) -> Sequence[str]:
    """Train, print, and put it into the docs where asked to; what is wrong."""
    with (
        tempfile.TemporaryDirectory(prefix="maestro-training-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        found = runner.run(run(asked, Path(folder)))
    lines = pipes(table(found, asked.calls)).split("\n")
    say("\n".join(["", *lines]))
    if asked.write:
        place(PERFORMANCE, MARK, [f"`{command}` on {machine_words()}:", "", *lines])
    return [
        f"{one.side}, {one.mode}: {one.calls - one.stored} points are missing"
        for one in found
        if one.stored != one.calls
    ]


def main() -> int:
    """Measure; gives the exit status."""
    asked = arguments().parse_args()
    return judged(measured(asked, "python -m tests.load.training"))


if __name__ == "__main__":
    sys.exit(main())
