"""The services as processes of their own, as `make up` and a production run them."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from libs.embedded import Problem
from libs.embedded.ports import HOST
from libs.embedded.process import Process
from services import SERVICES

READY_SECONDS: Final = 60
ONE_PROCESS: Final = "services"
SEPARATE: Final = tuple(f"services.{name}" for name in SERVICES)


@dataclass
class Deployment:
    """Running services behind their gateway."""

    environment: Mapping[str, str]
    processes: list[Process] = field(default_factory=list)

    @property
    def port(self) -> int:
        """The gateway's port on the loopback interface."""
        return int(self.environment["GATEWAY_PORT"])

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://{HOST}:{self.port}"

    @property
    def token(self) -> str:
        """The token that auth made at its first start."""
        file = Path(self.environment["AUTH_FIRST_TOKEN_FILE"])
        return file.read_text(encoding="utf-8").strip()

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that run."""
        return [process.pid for process in self.processes if process.pid is not None]


@asynccontextmanager
async def deployed(
    environment: Mapping[str, str],
    logs: Path,
    *,
    separate: bool = False,
    module: str = ONE_PROCESS,
) -> AsyncIterator[Deployment]:
    """The services on the parts that `environment` names, migrated and ready.

    One process with all of them, which runs `module`, or, where `separate`, a process each.
    """
    given = {"PATH": os.defpath, **environment}
    await migrated(given, logs)
    deployment = Deployment(given)
    try:
        for name in SEPARATE if separate else (module,):
            process = module_process(name, given, logs)
            deployment.processes.append(process)
            process.spawn()
        for process in deployment.processes:
            await process.until(lambda: answers(deployment.port, "/ready"), READY_SECONDS)
        yield deployment
    finally:
        await asyncio.gather(*(process.stop() for process in reversed(deployment.processes)))


async def migrated(environment: Mapping[str, str], logs: Path) -> None:
    """Schemas, topics and access for every service; raises Problem when that fails."""
    process = module_process(ONE_PROCESS, environment, logs, "migrate")
    process.spawn()
    if await process.ended() != 0:
        raise Problem(f"migrate failed\n{process.last_words(40)}")


def module_process(module: str, environment: Mapping[str, str], logs: Path, *words: str) -> Process:
    """`python -m module words…`, not started; its log is named after both."""
    name = "-".join((module, *words))
    return Process(name, [sys.executable, "-m", module, *words], logs / f"{name}.log", environment)


async def answers(port: int, path: str) -> bool:
    """Whether a GET of `path` is answered with 200 on the loopback interface."""
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n"
    with suppress(OSError, TimeoutError, IndexError):
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            writer.write(request.encode())
            status = await asyncio.wait_for(reader.readline(), 5)
        finally:
            writer.close()
        return status.split()[1] == b"200"
    return False
