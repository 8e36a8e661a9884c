"""A real `mlflow server` on a database of its own, asked over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from libs.embedded.ports import HOST
from tests.load.peer import one_worker


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
    timeout = aiohttp.ClientTimeout(total=60)
    async with (
        one_worker(superuser_url, folder) as server,
        aiohttp.ClientSession(timeout=timeout) as session,
    ):
        await server.answering()
        yield Theirs(f"http://{HOST}:{server.port}", server.database_url, session)
