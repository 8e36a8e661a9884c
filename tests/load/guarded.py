"""What checks cost: the platform, and the same build with every check answered by a constant.

`python -m tests.load.guarded` starts both, each in one process on parts of its own, and asks them in
turn: 64 tenants on the plan `unlimited`, in each a member with a custom role and 50 grants, one
revocation a second, one request in twenty denied. Every answer is checked. Ends with 1 where one is
wrong or the loss is above `--most`.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

import uvloop

from libs.embedded import Progress, platform
from libs.embedded.environment import as_user
from libs.embedded.ports import HOST
from tests.deployments import deployed
from tests.load.answered import CHECKS, CONSTANT
from tests.load.bench import machine_words, say
from tests.load.counting import analyze
from tests.load.ending import Revocations
from tests.load.generator import Span, drive
from tests.load.mixing import Mix
from tests.load.placing import place
from tests.load.resources import usage
from tests.load.settling import Settling
from tests.load.sides import Processes, our_processor
from tests.load.tally import Tally, percentile
from tests.load.tenants import Member, add_members, fill

PAGE: Final = Path(__file__).parents[2] / "docs" / "performance.md"
LAUNCHER: Final = "tests.load.answered"
CLIENTS: Final = 16
CHECKED: Final = "checked"


@dataclass
class Side:
    """One of the two platforms, and what its rounds showed."""

    name: str
    place: tuple[str, int]
    mix: Mix
    revocations: Revocations
    settling: Settling
    processor: Processes
    rounds: list[Tally] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=dict)
    # Of all rounds, those that are not counted too: answers that were not right, and the first.
    wrong: int = 0
    example: str = ""

    @property
    def rate(self) -> float:
        """The median of the rounds, right answers a second."""
        return median(tally.rate for tally in self.rounds)

    @property
    def answered(self) -> int:
        """All right answers."""
        return sum(tally.acknowledged for tally in self.rounds)

    def milliseconds(self, share: float) -> float:
        """A latency's percentile over all rounds together."""
        return percentile(sorted(x for tally in self.rounds for x in tally.latencies), share) * 1000

    async def round(self, span: Span, *, counted: bool = True) -> None:
        """Ask for as long as a round takes, and count it unless it only warms up."""
        before = self._processor_seconds()
        tally = await self._asked(span)
        self.wrong += tally.failed
        self.example = self.example or tally.example
        say(
            f"  {self.name:<9} {tally.rate:8.1f}/s  P50 {tally.milliseconds(0.5):6.1f} ms"
            f"  P99 {tally.milliseconds(0.99):6.1f} ms  failed {tally.failed} {tally.example}"
            f"{'' if counted else '  (not counted)'}"
        )
        if not counted:
            return
        for group, seconds in self._processor_seconds().items():
            self.spent[group] = self.spent.get(group, 0.0) + seconds - before[group]
        self.rounds.append(tally)

    async def _asked(self, span: Span) -> Tally:
        """The mix with revocations meanwhile, until the facts of both are handled."""
        enough = asyncio.Event()
        revoking = asyncio.create_task(self.revocations.run(enough))
        try:
            tally = await drive(self.place, self.mix, CLIENTS, span, refused=self.mix.refused)
        finally:
            enough.set()
            await revoking
        await self.settling.settled()
        return tally

    def _processor_seconds(self) -> dict[str, float]:
        return {
            name: usage(processes(), memory=False).seconds
            for name, processes in self.processor.items()
        }


@asynccontextmanager
async def side(name: str, folder: Path, tenants: int) -> AsyncIterator[Side]:
    """A platform on parts of its own, with all tenants in it."""
    constant = name == CONSTANT
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAESTRO_")}
    async with platform(folder / name, {**env, "MAESTRO_PORT": "0"}, Progress(say)) as parts:
        given = {**parts.environment, "MAESTRO_LOG_LEVEL": "WARNING", CHECKS: name}
        admin = parts.environment["MAESTRO_POSTGRES_URL"]
        url = as_user(admin, "postgres", parts.home.secret("postgres-superuser"))
        async with deployed(given, parts.home.logs, module=LAUNCHER) as deployment:
            address = HOST, deployment.port
            members: list[Member] = await add_members(url, tenants)
            await fill(address, members)
            await analyze(url)
            mix = Mix(address, members, constant=constant)
            revocations = Revocations(deployment.url, members, mix, constant=constant)
            settling = Settling(url, parts.environment)
            await settling.settled()
            yield Side(name, address, mix, revocations, settling, our_processor(parts, deployment))


async def run(asked: argparse.Namespace, folder: Path) -> list[Side]:
    """Both sides after all rounds; which goes first changes from round to round."""
    seconds, rounds = (2.0, 1) if asked.quick else (asked.seconds, asked.rounds)
    async with AsyncExitStack() as stack:
        sides = []
        for name in (CHECKED, CONSTANT):
            say(name)
            sides.append(await stack.enter_async_context(side(name, folder, asked.tenants)))
        # The first of a process finds nothing ready: connections, plans of statements, rights.
        for each in sides:
            await each.round(Span(1.0, seconds), counted=False)
        for number in range(rounds):
            for each in sides if number % 2 == 0 else reversed(sides):
                await each.round(Span(1.0, seconds))
        return sides


def rows(sides: list[Side]) -> list[str]:
    """The table, and below it what was asked and found right."""
    lines = [
        "| checks | requests/s | P50 / P99 ms | server / PostgreSQL ms a request | wrong answers |",
        "|---|---|---|---|---|",
    ]
    for each in sides:
        server, postgres = (
            each.spent[group] * 1000 / max(1, each.answered) for group in ("server", "PostgreSQL")
        )
        lines.append(
            f"| {'made' if each.name == CHECKED else 'constant'} | {each.rate:,.0f}"
            f" | {each.milliseconds(0.5):.1f} / {each.milliseconds(0.99):.1f}"
            f" | {server:.2f} / {postgres:.2f} | {each.wrong} |"
        )
    checked = sides[0]
    words = (
        f"Checks take {loss(sides):.1f} % of the throughput"
        f" (in single rounds {', '.join(f'{each:.1f}' for each in losses(sides))} %)."
        f" Of the requests with checks {checked.mix.denied:,} were refused as was due;"
        f" {checked.revocations.done} revocations were looked at a second later,"
        f" and {len(checked.revocations.problems)} had not acted."
    )
    return [
        *lines,
        "",
        words,
    ]


def loss(sides: list[Side]) -> float:
    """How much fewer requests are answered with checks, in per cent."""
    checked, constant = sides
    return 100 * (1 - checked.rate / constant.rate)


def losses(sides: list[Side]) -> list[float]:
    """The same of each round alone."""
    checked, constant = sides
    pairs = zip(checked.rounds, constant.rounds, strict=True)
    return [100 * (1 - one.rate / other.rate) for one, other in pairs]


def main() -> int:
    """Measure, print, and with --write put it into docs/performance.md; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.guarded", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each side")
    parser.add_argument("--seconds", type=float, default=5.0, help="measured seconds a round")
    parser.add_argument("--tenants", type=int, default=64, help="tenants that ask")
    parser.add_argument("--most", type=float, default=15.0, help="the largest loss in per cent")
    parser.add_argument("--quick", action="store_true", help="one short round each")
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="maestro-guarded-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        sides = runner.run(run(asked, Path(folder)))
    lines = rows(sides)
    say("\n".join(["", *lines]))
    if asked.write:
        words = " ".join(word for word in sys.argv[1:] if word != "--write")
        command = f"python -m tests.load.guarded {words}".strip()
        place(PAGE, "guarded", [f"`{command}` on {machine_words()}:", "", *lines])
    wrong = [problem for each in sides for problem in each.revocations.problems]
    wrong += [f"{each.wrong} answers, such as {each.example}" for each in sides if each.wrong]
    if loss(sides) > asked.most:
        wrong.append(f"{loss(sides):.1f} % of the throughput, above {asked.most:g}")
    for problem in wrong:
        say(f"FAILED: {problem}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
