"""The services under fault: started from the nursery, watched, and ended by signal."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.embedded.process import through_launcher
from tests.deployments import answers
from tests.waiting import eventually

START_SECONDS = 40


@dataclass
class Started:
    """One run of the services' process."""

    pid: int
    ended: "asyncio.Task[int]"

    async def exit_code(self, within: float = 30) -> int:
        """How it ended: negative for a signal."""
        return await asyncio.wait_for(asyncio.shield(self.ended), within)

    async def end(self) -> None:
        """End it at once, if it has not ended."""
        if not self.ended.done():
            self.signal(signal.SIGKILL)
        await self.ended

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)


class Nursery:
    """The process from which the services are forked."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self._port = port

    async def start(self, env: Mapping[str, str], failpoints: str = "") -> Started:
        """Start the services and wait until they answer, or until a failpoint has ended them."""
        assert self._process.stdin is not None
        given = {**env, "MAESTRO_FAILPOINTS": failpoints}
        self._process.stdin.write(json.dumps(given).encode() + b"\n")
        pid = await self._line()
        started = Started(pid, asyncio.create_task(self._line()))
        await eventually(lambda: self._up(started, failpoints), within=START_SECONDS)
        return started

    async def _up(self, started: Started, failpoints: str) -> bool:
        if started.ended.done():
            # What the one before left in the outbox is told at once, past the relay's points.
            if failpoints:
                return True
            raise AssertionError(f"the services ended with {started.ended.result()}")
        return await answers(self._port, "/ready")

    async def _line(self) -> int:
        assert self._process.stdout is not None
        return int(await self._process.stdout.readline())


@asynccontextmanager
async def nursery(env: Mapping[str, str], log: Path) -> AsyncIterator[Nursery]:
    """A nursery whose children answer at tracking's port; its end is theirs."""
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *through_launcher([sys.executable, "-m", "tests.faults.nursery"]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env={"PATH": os.defpath, "PYTHONPATH": ".", "MAESTRO_LOG_LEVEL": "WARNING"},
        )
    try:
        yield Nursery(process, int(env["TRACKING_PORT"]))
    finally:
        process.kill()
        await process.wait()
