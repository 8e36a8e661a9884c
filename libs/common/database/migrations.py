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
        await _ensure_roles(connection, schema, passwords)
        await _ensure_schema(connection, schema)
        async with connection.transaction():
            await connection.execute(f"SET LOCAL ROLE {_name(schema)}_owner")
            await connection.execute(f"SET LOCAL search_path = {_name(schema)}")
            return await _apply(connection, schema, read_migrations(folder))
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def pending(connection: asyncpg.Connection, schema: str, folder: Path) -> list[str]:
    """The migrations that `schema` still lacks; all of them where it was never migrated."""
    names = [migration.name for migration in read_migrations(folder)]
    if await connection.fetchval("SELECT to_regclass($1)", f"{schema}.migrations") is None:
        return names
    rows = await connection.fetch(f"SELECT name FROM {_name(schema)}.migrations")  # noqa: S608
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
    await _grant_events(connection, schema)
    await connection.execute("SELECT rotate_events(4, 14)")
    return [migration.name for migration in todo]


async def _grant_events(connection: asyncpg.Connection, schema: str) -> None:
    app, relay = f"{_name(schema)}_app", f"{_name(schema)}_relay"
    await connection.execute(
        f"GRANT USAGE ON SCHEMA {_name(schema)} TO {app}, {relay};"  # noqa: S608
        f"GRANT SELECT ON migrations TO {app};"
        f"GRANT INSERT ON outbox TO {app};"
        f"GRANT SELECT, INSERT ON inbox TO {app};"
        f"GRANT SELECT, INSERT, UPDATE ON known_tenants TO {app};"
        f"GRANT SELECT ON outbox TO {relay};"
        f"GRANT UPDATE (published_at) ON outbox TO {relay};"
        f"REVOKE ALL ON FUNCTION rotate_events(int, int) FROM PUBLIC;"
        f"GRANT EXECUTE ON FUNCTION rotate_events(int, int) TO {relay}"
    )


async def _ensure_roles(
    connection: asyncpg.Connection, schema: str, passwords: Mapping[str, str]
) -> None:
    owner = f"{schema}_owner"
    if not await _role_exists(connection, owner):
        await connection.execute(f"CREATE ROLE {_name(owner)} NOLOGIN")
    await connection.execute(f"GRANT {_name(owner)} TO CURRENT_USER WITH SET TRUE, INHERIT TRUE")
    for role in (f"{schema}_app", f"{schema}_relay"):
        if not await _role_exists(connection, role):
            await connection.execute(f"CREATE ROLE {_name(role)} NOLOGIN")
        # ALTER ROLE takes no parameters, so the server quotes its own literal.
        statement = await connection.fetchval(
            "SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)",
            role,
            passwords[role],
        )
        await connection.execute(statement)
        statement = await connection.fetchval(
            "SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), $1::text)",
            role,
        )
        await connection.execute(statement)


async def _ensure_schema(connection: asyncpg.Connection, schema: str) -> None:
    await connection.execute(
        f"CREATE SCHEMA IF NOT EXISTS {_name(schema)} AUTHORIZATION {_name(schema)}_owner"
    )


async def _role_exists(connection: asyncpg.Connection, role: str) -> bool:
    found = await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
    return bool(found)


def _name(identifier: str) -> str:
    # Identifiers cannot be parameters; ours are the names of services, and nothing else passes.
    if not re.fullmatch(r"[a-z][a-z_]*", identifier):
        raise MigrationRefused(f"{identifier!r} is no schema name")
    return identifier
