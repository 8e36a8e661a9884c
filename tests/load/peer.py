"""`mlflow server` as its makers ship it, on a database of its own in the same PostgreSQL."""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

import asyncpg
import psutil

from libs.embedded.environment import as_user
from libs.embedded.ports import CHOICE, HOST, is_free
from libs.embedded.process import Process
from tests.load.resources import tree

DATABASE: Final = "peer"
START_SECONDS: Final = 180
# Nothing that a server reads from its environment is set, but that it does not report home.
_ENVIRONMENT: Final = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
# Where answers are compared and not speed: one worker answers as four do, and starts sooner without
# the seven processes that wait for jobs.
ONE_WORKER: Final = ("--workers", "1")
WITHOUT_JOBS: Final = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


class Peer:
    """One `mlflow server` with its default workers, or with what `options` say."""

    def __init__(
        self,
        python: str,
        database_url: str,
        folder: Path,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.options = options
        self.environment = environment or {}
        # Not the first one: it binds seconds later, and others may look for a port meanwhile.
        self.port = next(port for port in random.sample(CHOICE, len(CHOICE)) if is_free(port))
        self.folder = folder
        self.database_url = database_url
        self._python = python
        self._process: Process | None = None

    @property
    def _store_uri(self) -> str:
        """The same database with the driver named, as SQLAlchemy's default one is not here."""
        return self.database_url.replace("postgresql:", "postgresql+psycopg2:", 1)

    @property
    def processes(self) -> list[psutil.Process]:
        """The server and all its workers."""
        pid = self._process.pid if self._process else None
        return tree(pid) if pid is not None else []

    async def start(self) -> float:
        """Start it; gives the seconds until its first answer."""
        began = time.monotonic()
        self.spawn()
        await self.answering()
        return time.monotonic() - began

    def spawn(self) -> None:
        """Start its process and wait for nothing."""
        self.folder.mkdir(exist_ok=True)
        self._process = Process(
            "mlflow server",
            [
                *(self._python, "-m", "mlflow", "server", "--host", HOST, "--port", str(self.port)),
                *("--backend-store-uri", self._store_uri),
                *("--artifacts-destination", str(self.folder / "artifacts")),
                *self.options,
            ],
            self.folder / "mlflow.log",
            {**_ENVIRONMENT, **self.environment, "PATH": os.defpath, "HOME": str(self.folder)},
        )
        self._process.spawn()

    async def answering(self) -> None:
        """Wait for its first answer; raises Problem when it ends or takes too long."""
        assert self._process is not None
        await self._process.until(self._answers, within=START_SECONDS)

    async def stop(self) -> None:
        """End it and every process below it."""
        if self._process is None or self._process.pid is None:
            return
        session = self._process.pid
        await self._process.stop(within=10)
        # Its workers outlive it when it ends badly; they stay in the session that it led.
        for process in psutil.process_iter():
            with suppress(psutil.NoSuchProcess, ProcessLookupError):
                if os.getsid(process.pid) == session:
                    process.send_signal(signal.SIGKILL)

    async def _answers(self) -> bool:
        request = f"GET /version HTTP/1.1\r\nHost: {HOST}:{self.port}\r\nConnection: close\r\n\r\n"
        with suppress(OSError, TimeoutError, IndexError):
            reader, writer = await asyncio.open_connection(HOST, self.port)
            try:
                writer.write(request.encode())
                status = await asyncio.wait_for(reader.readline(), 5)
            finally:
                writer.close()
            return status.split()[1] == b"200"
        return False


async def make_database(superuser_url: str, name: str = DATABASE) -> str:
    """An empty database with an owner of its own; gives its address."""
    connection = await asyncpg.connect(superuser_url)
    try:
        await connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
        await connection.execute(f"CREATE DATABASE {name} OWNER {name}")
    finally:
        await connection.close()
    return database_url(superuser_url, name, name, name)


def database_url(url: str, database: str, user: str, password: str) -> str:
    """The address of another database on the same server, as another user."""
    server = as_user(url, user, password).rpartition("/")[0]
    return f"{server}/{database}"


@asynccontextmanager
async def one_worker(superuser_url: str, folder: Path) -> AsyncIterator[Peer]:
    """`mlflow server` to compare answers with, begun and not awaited; ended at the end."""
    database = await make_database(superuser_url, f"{DATABASE}_{uuid4().hex[:8]}")
    server = Peer(sys.executable, database, folder, ONE_WORKER, WITHOUT_JOBS)
    server.spawn()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def peer(
    superuser_url: str, folder: Path, python: str = sys.executable
) -> AsyncIterator[Peer]:
    """`mlflow server`, not yet started, on a fresh database; ended at the end."""
    server = Peer(python, await make_database(superuser_url), folder)
    try:
        yield server
    finally:
        await server.stop()
