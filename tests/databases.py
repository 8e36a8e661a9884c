"""Databases of a test's own, and their end."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from tests.waiting import eventually


async def drop_database(admin: asyncpg.Connection, name: str) -> None:
    """Drop a database with all connections to it.

    Not even its owner may end an autovacuum that is at work in it, so that is waited for.
    """

    async def dropped() -> bool:
        with suppress(asyncpg.InsufficientPrivilegeError, asyncpg.ObjectInUseError):
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
            return True
        return False

    await eventually(dropped, within=30, pause=0.1)


@asynccontextmanager
async def own_database(environment: Mapping[str, str]) -> AsyncIterator[dict[str, str]]:
    """The variables with a new database in place of the one that all tests share."""
    name = f"own_{uuid4().hex}"
    own = dict(environment)
    for variable, url in environment.items():
        if variable.endswith(("DATABASE_URL", "POSTGRES_URL")):
            own[variable] = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    admin = await asyncpg.connect(environment["MAESTRO_POSTGRES_URL"])
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        yield own
        await drop_database(admin, name)
    finally:
        await admin.close()
