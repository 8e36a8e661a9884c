"""Plain-SQL migrations: numbered, checksummed, forward only, under a lock, and the three roles.

Only this step uses the admin URL (CREATEROLE and CREATE, no superuser). Each service gets
`<service>_owner` (no login, owns the tables), `<service>_app` and `<service>_relay` (login, own
nothing, bypass nothing).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from libs.common.database.roles import act_as_owner, ensure_roles, grant_events

_FILE: Final = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
_LOCK: Final = 0x4D41455354524F  # "MAESTRO"
_EVENTS: Final = Path(__file__).with_name("events.sql")


class MigrationRefused(Exception):
    """The migrations on disk do not continue those in the database; the message says where."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its name, its SQL, and the checksum it is remembered by."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the SQL, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Path) -> list[Migration]:
    """The migrations of a service in order, the event tables first."""
    found = [Migration("0000_events.sql", _EVENTS.read_text())]
    for path in sorted(folder.glob("*.sql")):
        if not _FILE.match(path.name):
            raise MigrationRefused(f"{path.name}: name migrations NNNN_what_it_does.sql")
        found.append(Migration(path.name, path.read_text()))
    return found


async def migrate(
    connection: asyncpg.Connection, schema: str, folder: Path, passwords: Mapping[str, str]
) -> list[str]:
    """Bring `schema` up to date; returns the names of the migrations that were applied.

    `passwords` holds those of the login roles, by role name. Raises MigrationRefused when an
    applied migration is gone or altered on disk.
    """
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    try:
        await ensure_roles(connection, schema, passwords)
        async with connection.transaction():
            await act_as_owner(connection, schema)
            return await _apply(connection, schema, read_migrations(folder))
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def pending(connection: asyncpg.Connection, folder: Path) -> list[str]:
    """The migrations that the schema on the connection's search path lacks; all when never made."""
    names = [migration.name for migration in read_migrations(folder)]
    if await connection.fetchval("SELECT to_regclass('migrations')") is None:
        return names
    rows = await connection.fetch("SELECT name FROM migrations")
    applied = {row["name"] for row in rows}
    return [name for name in names if name not in applied]


async def _apply(
    connection: asyncpg.Connection, schema: str, migrations: list[Migration]
) -> list[str]:
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, checksum text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now())"
    )
    rows = await connection.fetch("SELECT name, checksum FROM migrations ORDER BY name")
    known = {migration.name: migration for migration in migrations}
    for row in rows:
        if row["name"] not in known:
            raise MigrationRefused(
                f"{schema} has {row['name']}, which this version lacks: it is newer. Upgrade."
            )
        if known[row["name"]].checksum != row["checksum"]:
            raise MigrationRefused(
                f"{schema}/{row['name']} was altered after it ran: add a new file instead."
            )
    applied = {row["name"] for row in rows}
    todo = [migration for migration in migrations if migration.name not in applied]
    for migration in todo:
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO migrations (name, checksum) VALUES ($1, $2)",
            migration.name,
            migration.checksum,
        )
    await grant_events(connection, schema)
    if todo:  # the relay does it every hour; a new schema needs today's partition at once
        await connection.execute("SELECT rotate_events(4, 14)")
    return [migration.name for migration in todo]
