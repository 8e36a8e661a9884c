"""A service's role sees the rows of the tenant it acts for, in every tenant table, and no others."""

from collections.abc import AsyncIterator, Mapping

import asyncpg
import pytest
import pytest_asyncio

from libs.embedded import Parts
from libs.embedded.environment import as_user
from services import SERVICES, service
from tests.serving import prepared

OWNERS = [name for name in SERVICES if service(name).migrations is not None]
OURS, THEIRS = 7_000_001, 7_000_002
COLUMNS = """
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS kind
FROM pg_attribute a
WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attidentity = '' AND a.attgenerated = ''
"""
CHECKS = "SELECT conname FROM pg_constraint WHERE conrelid = $1::text::regclass AND contype = 'c'"
VALUES = {
    "integer": "1",
    "smallint": "1",
    "bigint": "1",
    "double precision": "1",
    "boolean": "true",
    "text": "'x'",
    "uuid": "'00000000-0000-4000-8000-000000000001'",
    "bytea": "'x'",
    "jsonb": "'{}'",
    "json": "'{}'",
    "timestamp with time zone": "now()",
    "date": "now()",
    "text[]": "'{}'",
    "integer[]": "'{}'",
    "bigint[]": "'{}'",
    "real[]": "'{}'",
    "double precision[]": "'{}'",
    "cidr[]": "'{}'",
}


@pytest_asyncio.fixture(loop_scope="session")
async def superuser(parts: Parts) -> AsyncIterator[asyncpg.Connection]:
    """A connection to which no policy applies, in a transaction that is never committed."""
    assert parts.postgres is not None
    password = parts.home.secret("postgres-superuser")
    connection = await asyncpg.connect(as_user(parts.postgres.url, "postgres", password))
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield connection
    finally:
        await transaction.rollback()
        await connection.close()


async def put_a_row(superuser: asyncpg.Connection, table: str, tenant_no: int) -> None:
    """A row of a tenant, made of whatever its columns hold; no rule but the policy applies."""
    for row in await superuser.fetch(CHECKS, table):
        await superuser.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{row["conname"]}"')
    columns = {row["name"]: VALUES[row["kind"]] for row in await superuser.fetch(COLUMNS, table)}
    columns["tenant_no"] = str(tenant_no)
    names = ", ".join(f'"{name}"' for name in columns)
    await superuser.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join(columns.values())})")


async def seen(
    superuser: asyncpg.Connection, table: str, app: str, tenant: int | None
) -> list[int]:
    """The tenants of the rows that a service's role sees while it acts for `tenant`."""
    await superuser.execute(f"SET LOCAL ROLE {app}")
    try:
        await superuser.fetchval(
            "SELECT set_config('app.tenant', $1, true)", "" if tenant is None else str(tenant)
        )
        rows = await superuser.fetch(f"SELECT tenant_no FROM {table} WHERE tenant_no >= {OURS}")
        return sorted(row["tenant_no"] for row in rows)
    finally:
        await superuser.execute("RESET ROLE")


@pytest.mark.parametrize("name", OWNERS)
async def test_each_table_shows_the_acting_tenants_rows_only(
    name: str, superuser: asyncpg.Connection, platform_environment: Mapping[str, str]
) -> None:
    await prepared([service(name)], platform_environment)
    tables = [table for table, kind in service(name).tables.items() if kind == "tenant"]
    assert tables
    # Foreign keys are triggers, and these do not fire.
    await superuser.execute("SET LOCAL session_replication_role = replica")
    for table in tables:
        for tenant in (OURS, THEIRS):
            await put_a_row(superuser, f"{name}.{table}", tenant)
    shown = {
        table: [
            await seen(superuser, f"{name}.{table}", f"{name}_app", tenant)
            for tenant in (None, OURS, THEIRS, OURS + 9)
        ]
        for table in tables
    }
    assert shown == {table: [[], [OURS], [THEIRS], []] for table in tables}


@pytest.mark.parametrize("name", OWNERS)
async def test_a_role_that_never_named_a_tenant_sees_nothing(
    name: str, platform_environment: Mapping[str, str]
) -> None:
    await prepared([service(name)], platform_environment)
    connection = await asyncpg.connect(platform_environment[f"{name}_DATABASE_URL".upper()])
    try:
        for table, kind in service(name).tables.items():
            if kind == "tenant":
                assert await connection.fetchval(f"SELECT count(*) FROM {name}.{table}") == 0
    finally:
        await connection.close()
