"""The three roles of a schema, and what each may do with the tables every schema begins with."""

from collections.abc import Mapping
from typing import Final

import asyncpg

# Utility statements take no parameters, so the server puts names (%I) and literals (%L) in.
_OWNER: Final = "CREATE ROLE %I NOLOGIN"
_BE_OWNER: Final = "GRANT %I TO CURRENT_USER WITH SET TRUE, INHERIT TRUE"
_LOGIN: Final = "ALTER ROLE %I LOGIN PASSWORD %L"
_CONNECT: Final = "GRANT CONNECT ON DATABASE %I TO %I"
_SCHEMA: Final = "CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I"
_GRANTS: Final = """
GRANT USAGE ON SCHEMA %1$I TO %2$I, %3$I;
GRANT SELECT ON migrations TO %2$I;
GRANT INSERT ON outbox TO %2$I;
GRANT SELECT, INSERT ON inbox TO %2$I;
GRANT SELECT, INSERT, UPDATE ON known_tenants TO %2$I;
GRANT SELECT ON outbox TO %3$I;
GRANT UPDATE (published_at) ON outbox TO %3$I;
REVOKE ALL ON FUNCTION rotate_events(int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rotate_events(int, int) TO %3$I
"""


async def ensure_roles(
    connection: asyncpg.Connection, schema: str, passwords: Mapping[str, str]
) -> None:
    """Make the schema and its roles where they are missing, and set the login roles' passwords."""
    owner, app, relay = roles_of(schema)
    for role in (owner, app, relay):
        if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
            await run(connection, _OWNER, role)
    await run(connection, _BE_OWNER, owner)
    database = await connection.fetchval("SELECT current_database()")
    for role in (app, relay):
        await run(connection, _LOGIN, role, passwords[role])
        await run(connection, _CONNECT, database, role)
    await run(connection, _SCHEMA, schema, owner)


async def act_as_owner(connection: asyncpg.Connection, schema: str) -> None:
    """Do what follows in this transaction as the schema's owner, in its schema."""
    await run(connection, "SET LOCAL ROLE %I", roles_of(schema)[0])
    await run(connection, "SET LOCAL search_path = %I", schema)


async def grant_events(connection: asyncpg.Connection, schema: str) -> None:
    """Give the login roles their part of outbox and inbox; run as the owner."""
    _, app, relay = roles_of(schema)
    await run(connection, _GRANTS, schema, app, relay)


def roles_of(schema: str) -> tuple[str, str, str]:
    """Owner, app and relay role of a schema."""
    return f"{schema}_owner", f"{schema}_app", f"{schema}_relay"


async def run(connection: asyncpg.Connection, template: str, *names: str) -> None:
    """Run a statement whose names and literals the server quotes."""
    statement = await connection.fetchval(
        "SELECT format($1::text, VARIADIC $2::text[])", template, list(names)
    )
    await connection.execute(statement)
