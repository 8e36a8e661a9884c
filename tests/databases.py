"""Databases of a test's own, and their end."""

from contextlib import suppress

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
