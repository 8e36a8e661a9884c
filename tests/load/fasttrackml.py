"""FastTrackML as its makers ship it, on a database of its own in the same PostgreSQL."""

import os
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import psutil

from libs.embedded.ports import CHOICE, HOST, is_free
from libs.embedded.process import Process
from tests.deployments import answers
from tests.load.peer import START_SECONDS, make_database
from tests.load.resources import tree

DATABASE: Final = "fasttrackml"
# Where the Makefile unpacks its wheel.
PROGRAM: Final = Path(sys.prefix) / "peers" / "bin" / "fml"


class FastTrackML:
    """One `fml server` with its defaults, which check nobody."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.database_url = database_url
        self.port = next(port for port in random.sample(CHOICE, len(CHOICE)) if is_free(port))
        self._folder = folder
        self._process: Process | None = None

    @property
    def processes(self) -> list[psutil.Process]:
        """The server's process."""
        pid = self._process.pid if self._process else None
        return tree(pid) if pid is not None else []

    async def start(self) -> float:
        """Start it; gives the seconds until its first answer."""
        began = time.monotonic()
        self._folder.mkdir(exist_ok=True)
        self._process = Process(
            "fml server",
            [
                *(str(PROGRAM), "server", "--listen-address", f"{HOST}:{self.port}"),
                *("--database-uri", self.database_url),
                *("--default-artifact-root", str(self._folder / "artifacts")),
            ],
            self._folder / "fml.log",
            {"PATH": os.defpath, "HOME": str(self._folder)},
        )
        self._process.spawn()
        await self._process.until(lambda: answers(self.port, "/health"), within=START_SECONDS)
        return time.monotonic() - began

    async def stop(self) -> None:
        """End it."""
        if self._process is not None:
            await self._process.stop(within=10)


@asynccontextmanager
async def fasttrackml(superuser_url: str, folder: Path) -> AsyncIterator[FastTrackML]:
    """The server, not yet started, on a fresh database; ended at the end."""
    server = FastTrackML(await make_database(superuser_url, DATABASE), folder)
    try:
        yield server
    finally:
        await server.stop()
