"""The two servers that are compared: `mlflow server` as its makers ship it, and our platform."""

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import aiohttp
import asyncpg
from yarl import URL

from libs.embedded.ports import CHOICE, is_free
from tests.deployments import deployed
from tests.load.peer import Peer

# Where both servers go on counting their experiments, so that an id is no number met by chance.
FIRST_EXPERIMENT: Final = 7_000_001


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True)
class Server:
    """A server to ask: its address and the token it wants, if any."""

    url: str
    session: aiohttp.ClientSession
    token: str | None = None

    async def ask(self, method: str, target: str, body: bytes, content_type: str | None) -> Answer:
        """One request; `target` is sent as it is written."""
        headers = {} if content_type is None else {"Content-Type": content_type}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        async with self.session.request(
            method,
            URL(self.url + target, encoded=True),
            data=body,
            headers=headers,
            skip_auto_headers=("Content-Type",),
            allow_redirects=False,
        ) as answer:
            found = await answer.read()
            return Answer(answer.status, answer.headers.get("Content-Type", ""), found)


@dataclass(frozen=True)
class Pair:
    """Both servers."""

    theirs: Server
    ours: Server


@asynccontextmanager
async def compared(environment: Mapping[str, str], peer: Peer, folder: Path) -> AsyncIterator[Pair]:
    """Both servers, counting from the same number; `peer` has been spawned."""
    own = await _environment_of_its_own(environment, folder)
    async with deployed(own, folder) as deployment:
        await peer.answering()
        await _count_on(own["MAESTRO_POSTGRES_URL"], peer.database_url)
        async with sessions(
            f"http://127.0.0.1:{peer.port}", deployment.url, deployment.token
        ) as pair:
            yield pair


@asynccontextmanager
async def sessions(theirs: str, ours: str, token: str) -> AsyncIterator[Pair]:
    """Both servers by their addresses."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with (
        aiohttp.ClientSession(timeout=timeout) as first,
        aiohttp.ClientSession(timeout=timeout) as second,
    ):
        yield Pair(Server(theirs, first), Server(ours, second, token))


async def _environment_of_its_own(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The shared parts with a database, a folder and a port that nobody else uses."""
    database = f"conformance_{uuid4().hex[:8]}"
    own = {name: _in(database, name, value) for name, value in environment.items()}
    own["AUTH_FIRST_TOKEN_FILE"] = str(folder / "first-token")
    own["AUTH_OPERATOR_TOKEN_FILE"] = str(folder / "operator-token")
    own["TRACKING_ARTIFACT_STORE"] = (folder / "artifacts").as_uri()
    free = (port for port in random.sample(CHOICE, len(CHOICE)) if is_free(port))
    for service in ("GATEWAY", "AUTH", "TRACKING", "REGISTRY"):
        own[f"{service}_PORT"] = str(next(free))
        own[f"{service}_URL"] = f"http://127.0.0.1:{own[f'{service}_PORT']}"
    admin = await asyncpg.connect(environment["MAESTRO_POSTGRES_URL"])
    try:
        await admin.execute(f"CREATE DATABASE {database}")
    finally:
        await admin.close()
    return own


def _in(database: str, variable: str, value: str) -> str:
    if not variable.endswith(("DATABASE_URL", "POSTGRES_URL", "RELAY_URL")):
        return value
    return urlunsplit(urlsplit(value)._replace(path=f"/{database}"))


async def _count_on(ours: str, theirs: str) -> None:
    """Both servers give `FIRST_EXPERIMENT` to the next experiment."""
    connection = await asyncpg.connect(ours)
    try:
        tenant = await connection.fetchval("SELECT tenant_no FROM auth.tenants")
        await connection.execute("SELECT set_config('app.tenant', $1, false)", str(tenant))
        await connection.execute(
            "INSERT INTO tracking.experiment_counters (tenant_no, last_id) VALUES ($1, $2)",
            *(tenant, FIRST_EXPERIMENT - 1),
        )
    finally:
        await connection.close()
    connection = await asyncpg.connect(theirs)
    try:
        await connection.execute(
            f"ALTER SEQUENCE experiments_experiment_id_seq RESTART {FIRST_EXPERIMENT}"
        )
    finally:
        await connection.close()
