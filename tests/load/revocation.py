"""`python -m tests.load.revocation`: how long after its revocation somebody is still answered.

Two gateways and all services as processes. Ends with 1 when a trial took longer than its bound.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Final

import uvloop

from libs.embedded import Progress, platform
from libs.embedded.kafka import Kafka
from services.gateway.confirmation import POLL_SECONDS, SILENT_SECONDS
from tests.load.bench import machine_words, say
from tests.load.revoking import KINDS, Scene, Trial, scene

TABLE: Final = Path(__file__).parents[2] / "docs" / "revocation-table.md"
# While Kafka is up, and while it is not: silence is noticed, auth is asked, and answers.
BOUNDS: Final = {"up": 1.0, "restarting": SILENT_SECONDS + POLL_SECONDS + 1.0}
WORDS: Final = {
    "token": "token revoked",
    "role": "member's role taken away",
    "member": "member suspended",
}


@dataclass(frozen=True)
class Row:
    """One kind of revocation with Kafka in one state; seconds."""

    kind: str
    kafka: str
    trials: int
    median: float
    most_of_hundred: float
    longest: float

    @property
    def late(self) -> bool:
        """Whether a trial took longer than its bound."""
        return self.longest >= BOUNDS[self.kafka]


@dataclass(frozen=True)
class Findings:
    """The table, and how often which way was the first on which a gateway learnt of it."""

    rows: list[Row]
    by_broadcast: int
    by_feed: int


async def measured(stage: Scene, kafka: Kafka, trials: int, restarts: int) -> Findings:
    """Trials of all kinds in turn, a fifth of them while Kafka is restarted."""
    restarting: list[Trial] = []
    kinds = cycle(KINDS)
    for _ in range(restarts):
        restarting += await over_a_restart(stage, kafka)
        say(f"  {len(restarting)} trials over restarts of Kafka")
    steady: list[Trial] = []
    while len(steady) + len(restarting) < trials:
        steady += await asyncio.gather(*(stage.trial(kind) for kind in islice(kinds, 2)))
        if len(steady) % 50 < 2:
            say(f"  {len(steady)} trials with Kafka up")
    return Findings(
        [*rows("up", steady), *rows("restarting", restarting)],
        sum(await stage.revoked_by("broadcast")),
        sum(await stage.revoked_by("feed")),
    )


async def over_a_restart(stage: Scene, kafka: Kafka) -> list[Trial]:
    """Trials side by side from Kafka's end until it is heard again by both gateways."""
    found: list[Trial] = []
    over = False

    async def work(kinds: Iterable[str]) -> None:
        for kind in kinds:
            if over:
                return
            found.append(await stage.trial(kind))

    before = await stage.revoked_by("broadcast")
    await kafka.stop()
    tasks = [asyncio.create_task(work(islice(cycle(KINDS), n, None))) for n in range(4)]
    try:
        await asyncio.sleep(SILENT_SECONDS)
        await kafka.start()
        began = time.monotonic()
        while not all(
            now > then
            for now, then in zip(await stage.revoked_by("broadcast"), before, strict=True)
        ):
            if time.monotonic() - began > 90:
                raise TimeoutError("the broadcast is not heard again")
            await asyncio.sleep(0.1)
    finally:
        over = True
        await asyncio.gather(*tasks)
    return found


def rows(kafka: str, trials: list[Trial]) -> list[Row]:
    """The rows of one state of Kafka."""
    found = []
    for kind in KINDS:
        seconds = sorted(trial.seconds for trial in trials if trial.kind == kind)
        if seconds:
            median, most = (seconds[int(len(seconds) * share)] for share in (0.5, 0.99))
            found.append(Row(kind, kafka, len(seconds), median, most, seconds[-1]))
    return found


def table(found: Findings) -> list[str]:
    """The rows in Markdown."""
    lines = [
        "| revoked | Kafka | trials | P50 ms | P99 ms | max ms | bound ms |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {WORDS[row.kind]} | {row.kafka} | {row.trials} | {row.median * 1000:.0f} |"
        f" {row.most_of_hundred * 1000:.0f} | {row.longest * 1000:.0f} |"
        f" {BOUNDS[row.kafka] * 1000:.0f} |"
        for row in found.rows
    ]
    learnt = f"{found.by_broadcast} by the broadcast, {found.by_feed} by auth's feed"
    return [*lines, "", f"The gateways learnt of {learnt} first."]


def document(found: Findings, command: str) -> str:
    """The page of the documents."""
    return "\n".join(
        [
            "# Revocation table",
            "",
            "Somebody works on two gateways, over and over, and is revoked on the first: the time from",
            "the revoking call's answer to the last 200 on either. All services and both gateways are",
            "processes. A token is ended over HTTP; a member's role and status are changed by the unit",
            "of work of auth's commands, in the process that measures. *Restarting*: from the moment",
            "Kafka has stopped until both gateways hear the broadcast again; trials begun in that time,",
            "four side by side. Time is taken when an answer has arrived, so it holds the answer's own.",
            "",
            f"`{command}` on {machine_words()}:",
            "",
            *table(found),
            "",
        ]
    )


async def run(asked: argparse.Namespace, folder: Path) -> Findings:
    """Start all of it, and try."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAESTRO_")}
    async with platform(folder / "home", {**env, "MAESTRO_PORT": "0"}, Progress(say)) as parts:
        assert parts.kafka is not None
        async with scene(parts.environment, parts.home.logs) as stage:
            return await measured(stage, parts.kafka, asked.trials, asked.restarts)


def main() -> int:
    """Run the trials; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.revocation", description=__doc__)
    parser.add_argument("--trials", type=int, default=500, help="all trials together")
    parser.add_argument("--restarts", type=int, default=2, help="restarts of Kafka meanwhile")
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="maestro-revocation-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        found = runner.run(run(asked, Path(folder)))
    say("\n".join(["", *table(found)]))
    if asked.write:
        words = [word for word in sys.argv[1:] if word != "--write"]
        command = " ".join(["python -m tests.load.revocation", *words])
        TABLE.write_text(document(found, command), encoding="utf-8")
    late = [row for row in found.rows if row.late]
    for row in late:
        say(f"FAILED: {WORDS[row.kind]}, Kafka {row.kafka}: {row.longest:.2f} s")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
