"""A real `mlflow server` with one worker on a database of its own, asked over HTTP."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg
import psutil

from libs.embedded.ports import CHOICE, HOST, is_free
from libs.embedded.process import Process
from tests.load.peer import database_url

_NAME: Final = "filters_peer"
_START_SECONDS: Final = 240
_ENVIRONMENT: Final = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}


@dataclass(frozen=True, slots=True)
class Theirs:
    """The server: its address, its database, and how it is asked."""

    url: str
    database_url: str
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """The status and the decoded answer of `/api/2.0/mlflow/<path>`."""
        target = f"{self.url}/api/2.0/mlflow/{path}"
        async with self.session.request(method, target, json=body) as reply:
            return reply.status, await reply.json(content_type=None)


@asynccontextmanager
async def mlflow_server(superuser_url: str, folder: Path) -> AsyncIterator[Theirs]:
    """The server, answering; it ends at the end, with every process below it."""
    database = await _make_database(superuser_url)
    port = next(port for port in CHOICE if is_free(port))
    store = database.replace("postgresql:", "postgresql+psycopg2:", 1)
    process = Process(
        "mlflow server",
        [
            *(sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)),
            *("--workers", "1", "--backend-store-uri", store),
            *("--artifacts-destination", str(folder / "artifacts")),
        ],
        folder / "mlflow.log",
        _ENVIRONMENT | {"PATH": os.defpath, "HOME": str(folder)},
    )
    process.spawn()
    led = process.pid
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
            theirs = Theirs(f"http://{HOST}:{port}", database, session)
            await process.until(lambda: _answers(theirs), within=_START_SECONDS)
            yield theirs
    finally:
        await process.stop(within=10)
        _end_session(led)


async def _answers(theirs: Theirs) -> bool:
    with suppress(aiohttp.ClientError, OSError, asyncio.TimeoutError):
        async with theirs.session.get(f"{theirs.url}/version") as reply:
            return reply.status == 200
    return False


async def _make_database(superuser_url: str) -> str:
    connection = await asyncpg.connect(superuser_url)
    try:
        await connection.execute(f"CREATE ROLE {_NAME} LOGIN PASSWORD '{_NAME}'")
        await connection.execute(f"CREATE DATABASE {_NAME} OWNER {_NAME}")
    finally:
        await connection.close()
    return database_url(superuser_url, _NAME, _NAME, _NAME)


def _end_session(led: int | None) -> None:
    """End the workers that outlive a server which ended badly: they are in the session it led."""
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if led is not None and os.getsid(process.pid) == led:
                process.send_signal(signal.SIGKILL)
