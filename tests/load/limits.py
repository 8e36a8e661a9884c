"""What the limits cost and how exact they are: `python -m tests.load.limits`.

Processor time a request of the gateway's own decision, and admissions against an exact log, for one
gateway and for three that share a real Redis, each a process of its own.
"""

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import uvloop
from redis.asyncio import Redis as RedisClient

from libs.embedded.home import Home
from libs.embedded.ports import HOST, choose_ports
from libs.embedded.redis import Redis
from services.gateway.limits.book import Book
from services.gateway.limits.lease import most_held
from services.gateway.limits.limits import Limits
from services.gateway.limits.shared import SharedWindows
from services.gateway.routes import READ, RUNNING, route_of, work_of
from services.gateway.settings import Settings
from tests.load.placing import place
from tests.unit.limit_doubles import holder

PAGE: Final = Path(__file__).parents[2] / "docs" / "limits.md"
MARK: Final = "figures"
GATEWAYS: Final = (1, 3)
RATES: Final = (25, 200, 1000)
REQUESTS: Final = 100_000
PACED: Final = 1_000
ROUNDS: Final = 7
PACE: Final = 1 / 900
MICRO: Final = 1e6


@dataclass(frozen=True)
class Load:
    """How requests come: `pause(number, rate)` before each; `due` of them may be let in."""

    name: str
    pause: Callable[[int, float], float]
    due: Callable[[int, float], float]


LOADS: Final = (
    Load("at 0.9 × the limit", lambda _, rate: 1 / (0.9 * rate), lambda asked, _: asked),
    Load("at 5 × the limit", lambda _, rate: 1 / (5 * rate), lambda _, most: most),
    # Two seconds' allowance at once, then nothing for a second and a half.
    Load(
        "in bursts",
        lambda number, rate: 0.0 if number % int(2 * rate) else 1.5,
        lambda asked, _: asked / 2,
    ),
)


@dataclass(frozen=True)
class Exactness:
    """What an exact log says: the fullest second, and what was asked and admitted in all."""

    gateways: int
    rate: int
    load: str
    asked: int
    admitted: int
    fullest: int
    expected: float

    def row(self) -> str:
        """A line of the table."""
        beyond = 100 * max(0, self.fullest - self.rate) / self.rate
        bound = 100 * self.gateways * most_held(self.rate) / self.rate
        used = 100 * self.admitted / self.expected
        return (
            f"| {self.gateways} | {self.rate} | {self.load} | {self.asked:,} | {self.admitted:,} "
            f"| {used:.1f} % | +{beyond:.1f} % | +{bound:.0f} % |"
        )


def gateway(url: str, key: str, rate: int, load: int, share: int, until: float) -> list[float]:
    """One gateway's requests for a key until then; the times at which it let one in, and how many.

    The last entry is the number of requests, below 0.
    """
    return uvloop.run(_gateway(url, key, rate, LOADS[load], share, until))


async def _gateway(
    url: str, key: str, rate: int, load: Load, share: int, until: float
) -> list[float]:
    admitted: list[float] = []
    asked = 0
    async with RedisClient.from_url(url) as client:
        shared = SharedWindows(client)
        await shared.open()
        book = Book(shared, replicas=share)
        leases = [book.lease(key, "tenant", rate)]
        due = time.monotonic()
        while (now := time.monotonic()) < until:
            due += load.pause(asked, rate / share)
            if due > now:
                await asyncio.sleep(due - now)
            asked += 1
            if await book.taken(leases) is None:
                admitted.append(time.monotonic())
    return [*admitted, -float(asked)]


def exactness(url: str, gateways: int, rate: int, number: int, seconds: float) -> Exactness:
    """Load one key from so many gateways, each a process, and look at the exact log."""
    until = time.monotonic() + seconds
    key = f"limit:{gateways}:measured-{rate}-{number}"
    with multiprocessing.get_context("fork").Pool(gateways) as pool:
        asked = [
            pool.apply_async(gateway, (url, key, rate, number, gateways, until))
            for _ in range(gateways)
        ]
        logs = [one.get(seconds + 60) for one in asked]
    requests = -int(sum(log[-1] for log in logs))
    log = sorted(at for one in logs for at in one[:-1])
    fullest = max(bisect_left(log, at + 1.0) - place for place, at in enumerate(log))
    # A second's allowance is there at the beginning, and again after each second.
    load = LOADS[number]
    due = load.due(requests, rate * seconds)
    return Exactness(gateways, rate, load.name, requests, len(log), fullest, due)


async def cost(url: str | None, plan: str) -> float:
    """Microseconds of processor time a request takes at nine tenths of a principal's limit."""
    client = None if url is None else RedisClient.from_url(url)
    shared = SharedWindows(client)
    await shared.open()
    limits = Limits(shared, Settings())
    passport = holder(of=plan)
    path = "/api/2.0/mlflow/runs/get"
    route = route_of(path)
    assert route is not None
    before = time.process_time()
    for _ in range(PACED):
        work = work_of(route, "GET", path)
        needs = limits.needs(passport, work)
        await limits.enter(needs)
        list(needs.headers())
        limits.leave(needs)
        await asyncio.sleep(PACE)
    spent = time.process_time() - before
    await limits.close()
    if client is not None:
        await client.aclose()
    return MICRO * spent / PACED


async def warm_cost() -> tuple[float, float]:
    """The same without the leases' renewal, and for a plan without limits."""
    found = []
    for plan, work in (("business", READ), ("unlimited", RUNNING)):
        limits = Limits(SharedWindows(None), Settings())
        passport = holder(of=plan)
        needs = limits.needs(passport, work)
        await limits.enter(needs)
        limits.leave(needs)
        before = time.process_time()
        for _ in range(REQUESTS):
            for lease in needs.leases:
                lease.left, lease.until = 10, float("inf")
            needs = limits.needs(passport, work)
            await limits.enter(needs)
            list(needs.headers())
            limits.leave(needs)
        found.append(MICRO * (time.process_time() - before) / REQUESTS)
        await limits.close()
    return found[0], found[1]


def costs(url: str) -> list[str]:
    """The table of costs; the paced ones over the cost of the pace itself, medians of rounds."""
    warm, unlimited = uvloop.run(warm_cost())
    rounds = [
        (
            uvloop.run(cost(None, "unlimited")),
            uvloop.run(cost(url, "business")),
            uvloop.run(cost(None, "business")),
        )
        for _ in range(ROUNDS)
    ]
    shared = median(found[1] - found[0] for found in rounds) + unlimited
    alone = median(found[2] - found[0] for found in rounds) + unlimited
    return [
        "| processor time of the limits a request | µs |",
        "|---|---|",
        f"| on the plan `unlimited` | {unlimited:.1f} |",
        f"| on the plan `business`, all leases in memory | {warm:.1f} |",
        f"| at 900 requests/s, with renewals of the leases from Redis | {shared:.1f} |",
        f"| at 900 requests/s, without Redis | {alone:.1f} |",
    ]


def exact(url: str, seconds: float) -> list[str]:
    """The table of admissions."""
    lines = [
        "| gateways | limit/s | requests come | asked | let in | of what was due | fullest second | bound |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for gateways in GATEWAYS:
        for rate in RATES:
            for number in range(len(LOADS)):
                lines.append(exactness(url, gateways, rate, number, seconds).row())
                print(lines[-1], flush=True)
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and with --write put it into docs/limits.md."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.limits", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each line of the table")
    parser.add_argument("--write", action="store_true", help="put the tables into the docs")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.open()
        port = choose_ports(home.path, {"MAESTRO_PORT": "0"})["redis"]
        server = Redis(home, port)
        asyncio.run(server.start())
        try:
            lines = [*costs(server.url), "", *exact(server.url, asked.seconds)]
        finally:
            asyncio.run(server.stop())
            home.close()
    print(f"Redis on {HOST}:{port}\n", *lines, sep="\n")
    if asked.write:
        place(PAGE, MARK, lines)


if __name__ == "__main__":
    main()
