"""`python -m tests.load.live`: a thousand listeners on one process, and what they cost its writers.

Writers log single points to 64 runs at a steady rate, with nobody listening and with `--listeners`
in turn, all through the gateway of `python -m services`. The listeners live in a process of their
own. A point's delay is counted from when its write was answered, and from when it was sent.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic
from typing import Any, Final, cast

import aiohttp
import psutil
import uvloop

from libs.embedded import Progress, platform
from libs.embedded.ports import HOST
from tests.deployments import Deployment, deployed
from tests.load.resources import proportional, usage
from tests.load.tally import percentile

_STEP: Final = re.compile(rb'"step":(\d+)\}')
_CONNECT_AT_ONCE: Final = 50
WRITERS: Final = 16
# How long the last points of a round may take to arrive.
LAST_SECONDS: Final = 3.0

Arrival = tuple[int, float]


class Listener(asyncio.Protocol):
    """One stream: notes when each point came, by its step, which no other point has."""

    def __init__(self, request: bytes, arrivals: list[Arrival]) -> None:
        self._request = request
        self._arrivals = arrivals
        self._rest = b""
        self.began = asyncio.get_running_loop().create_future()
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        """What came; an event is whole at the empty line behind it."""
        now = monotonic()
        *events, self._rest = (self._rest + data).split(b"\n\n")
        for event in events:
            if b"event: snapshot" in event:
                if not self.began.done():
                    self.began.set_result(None)
            elif b"event: metrics" in event:
                self._arrivals += [(int(step), now) for step in _STEP.findall(event)]

    def connection_lost(self, _: Exception | None) -> None:
        """It ended."""
        self.lost = True
        if not self.began.done():
            self.began.set_exception(ConnectionError(self._rest[:200].decode(errors="replace")))


async def listen(pipe: Connection, port: int, token: str, runs: Sequence[str], count: int) -> None:
    """Open the streams, say so, and tell what came when asked to end."""
    arrivals: list[Arrival] = []
    listeners: list[Listener] = []
    loop = asyncio.get_running_loop()
    for first in range(0, count, _CONNECT_AT_ONCE):
        fresh = []
        for number in range(first, min(first + _CONNECT_AT_ONCE, count)):
            request = (
                f"GET /api/maestro/v1/runs/{runs[number % len(runs)]}/events HTTP/1.1\r\n"
                f"Host: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
            ).encode()
            _, made = await loop.create_connection(
                lambda request=request: Listener(request, arrivals),  # type: ignore[misc]
                HOST,
                port,
            )
            fresh.append(made)
        await asyncio.gather(*(one.began for one in fresh))
        listeners += fresh
    pipe.send("listening")
    await loop.run_in_executor(None, pipe.recv)
    pipe.send((arrivals, sum(one.lost for one in listeners)))


def listening(pipe: Connection, port: int, token: str, runs: Sequence[str], count: int) -> None:
    """The process of the listeners."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(listen(pipe, port, token, runs, count))


@dataclass
class Writers:
    """Log points at a steady rate, whatever the answers take."""

    url: str
    token: str
    runs: Sequence[str]
    rate: float
    step: int = 0
    sent: dict[int, float] = field(default_factory=dict)
    answered: dict[int, float] = field(default_factory=dict)
    failed: int = 0

    async def write(self, session: aiohttp.ClientSession, seconds: float) -> list[float]:
        """For so long; gives how long each write took, in seconds."""
        began, taken = monotonic(), []
        due = iter(range(int(self.rate * seconds)))

        async def writer() -> None:
            for number in due:
                await asyncio.sleep(max(0.0, began + number / self.rate - monotonic()))
                taken.append(await self._log(session))

        await asyncio.gather(*(writer() for _ in range(WRITERS)))
        return taken

    async def _log(self, session: aiohttp.ClientSession) -> float:
        self.step += 1
        step = self.step
        body = {"run_id": self.runs[step % len(self.runs)], "key": "loss", "value": 0.5}
        body |= {"timestamp": 1, "step": step}
        self.sent[step] = monotonic()
        async with session.post(f"{self.url}/api/2.0/mlflow/runs/log-metric", json=body) as reply:
            await reply.read()
            self.failed += reply.status != 200
        self.answered[step] = monotonic()
        return self.answered[step] - self.sent[step]


@dataclass
class Round:
    """What was measured with so many listeners."""

    taken: list[float]
    processor: float
    memory: int
    from_answer: list[float] = field(default_factory=list)
    from_sending: list[float] = field(default_factory=list)
    expected: int = 0
    lost: int = 0


async def one_round(
    deployment: Deployment, writers: Writers, session: Any, count: int, seconds: float
) -> Round:
    """Writers for so many seconds, with `count` listeners."""
    (service,) = (psutil.Process(pid) for pid in deployment.pids)
    child, pipe = None, None
    if count:
        pipe, other = multiprocessing.Pipe()
        args = (other, deployment.port, deployment.token, writers.runs, count)
        child = multiprocessing.get_context("spawn").Process(target=listening, args=args)
        child.start()
        assert await asyncio.to_thread(pipe.recv) == "listening"
    # The first of a round finds nothing ready.
    await writers.write(session, 2.0)
    first, before = writers.step + 1, usage([service], memory=False).seconds
    taken = await writers.write(session, seconds)
    spent = usage([service], memory=False).seconds - before
    found = Round(taken, spent / len(taken), proportional(service.pid))
    if child is not None and pipe is not None:
        await asyncio.sleep(LAST_SECONDS)
        pipe.send("enough")
        arrivals, found.lost = await asyncio.to_thread(pipe.recv)
        child.join()
        for step, at in arrivals:
            if first <= step <= writers.step:
                found.from_answer.append(at - writers.answered[step])
                found.from_sending.append(at - writers.sent[step])
        listeners_of = [len(range(n, count, len(writers.runs))) for n in range(len(writers.runs))]
        measured = range(first, writers.step + 1)
        found.expected = sum(listeners_of[step % len(writers.runs)] for step in measured)
    return found


async def measured(asked: argparse.Namespace, env: Mapping[str, str], folder: Path) -> None:
    """All rounds, without and with listeners in turn, and the table."""
    async with (
        platform(folder / "home", {**env, "MAESTRO_PORT": "0"}, Progress(print)) as parts,
        deployed({**parts.environment, "MAESTRO_LOG_LEVEL": "WARNING"}, folder) as deployment,
        aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {deployment.token}"},
            connector=aiohttp.TCPConnector(limit=0),
        ) as session,
    ):
        runs = [await _new_run(session, deployment.url) for _ in range(asked.runs)]
        writers = Writers(deployment.url, deployment.token, runs, asked.rate)
        found: dict[int, list[Round]] = {0: [], asked.listeners: []}
        for number in range(asked.rounds):
            for count, rounds in found.items():
                rounds.append(await one_round(deployment, writers, session, count, asked.seconds))
                print(f"round {number + 1}, {count} listeners: {_line(rounds[-1:])}", flush=True)
        print(f"\n{asked.runs} runs, {asked.rate:g} points/s, {writers.failed} writes failed")
        for count, rounds in found.items():
            print(f"{count:>5} listeners: {_line(rounds)}")


async def _new_run(session: aiohttp.ClientSession, url: str) -> str:
    body = {"experiment_id": "0", "start_time": 1}
    async with session.post(f"{url}/api/2.0/mlflow/runs/create", json=body) as reply:
        assert reply.status == 200, await reply.text()
        run_id: str = json.loads(await reply.read())["run"]["info"]["run_id"]
        return run_id


def _line(rounds: Sequence[Round]) -> str:
    taken = sorted(one for found in rounds for one in found.taken)
    line = (
        f"write P50 {percentile(taken, 0.5) * 1000:.1f} ms, P99 {percentile(taken, 0.99) * 1000:.1f}"
        f" ms, {sum(f.processor for f in rounds) / len(rounds) * 1000:.2f} ms of processor a write,"
        f" {max(f.memory for f in rounds) / 2**20:.0f} MiB"
    )
    expected = sum(found.expected for found in rounds)
    if not expected:
        return line
    late = sorted(x for found in rounds for x in found.from_answer)
    whole = sorted(x for found in rounds for x in found.from_sending)
    return (
        f"{line}; {len(late):,} of {expected:,} deliveries, after the answer P50"
        f" {percentile(late, 0.5) * 1000:.0f} ms, P95 {percentile(late, 0.95) * 1000:.0f} ms; after"
        f" the sending P95 {percentile(whole, 0.95) * 1000:.0f} ms;"
        f" {sum(found.lost for found in rounds)} streams lost"
    )


def main() -> None:
    """Measure on parts of its own and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=64)
    parser.add_argument("--rate", type=float, default=64.0, help="points a second, of all runs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0)
    asked = parser.parse_args()
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAESTRO_")}
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measured(asked, env, Path(folder)))


if __name__ == "__main__":
    main()
