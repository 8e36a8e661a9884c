"""Migrations go forward only, once, all or nothing; a service refuses a wrong role or schema."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from libs.common.database.guard import RoleRefused, SchemaBehind, check
from libs.common.database.migrations import MigrationRefused
from tests.service.common.scratch import Scratch, scratch

JARS = "CREATE TABLE jars (tenant_no int4, jar text); GRANT SELECT ON jars TO {name}_app"


@pytest_asyncio.fixture(loop_scope="session")
async def schema(platform_environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Scratch]:
    """A schema with one migration, which has not run."""
    async with scratch(platform_environment, tmp_path) as made:
        made.write("0001_jars.sql", JARS.format(name=made.name))
        yield made


async def tables(schema: Scratch) -> set[str]:
    """The schema's own tables."""
    rows = await schema.admin.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = $1", schema.name
    )
    return {row["tablename"] for row in rows if not row["tablename"].startswith("outbox_")}


async def test_files_run_in_order_and_once(schema: Scratch) -> None:
    assert await schema.migrate() == ["0000_events.sql", "0001_jars.sql"]
    assert await schema.migrate() == []
    schema.write("0002_lids.sql", "CREATE TABLE lids (lid text)")
    assert await schema.migrate() == ["0002_lids.sql"]
    assert await tables(schema) >= {"jars", "lids", "outbox", "inbox", "known_tenants"}


async def test_a_file_that_was_altered_is_refused(schema: Scratch) -> None:
    await schema.migrate()
    schema.write("0001_jars.sql", JARS.format(name=schema.name) + "; CREATE TABLE more ()")
    schema.write("0002_lids.sql", "CREATE TABLE lids (lid text)")
    with pytest.raises(MigrationRefused, match=r"0001_jars\.sql was altered after it ran"):
        await schema.migrate()
    assert await tables(schema) & {"more", "lids"} == set()


async def test_a_schema_of_a_newer_version_is_refused(schema: Scratch) -> None:
    await schema.migrate()
    (schema.folder / "0001_jars.sql").unlink()
    with pytest.raises(MigrationRefused, match=r"has 0001_jars\.sql, which this version lacks"):
        await schema.migrate()


async def test_a_file_with_another_name_is_refused(schema: Scratch) -> None:
    schema.write("2_lids.sql", "CREATE TABLE lids (lid text)")
    with pytest.raises(MigrationRefused, match=r"2_lids\.sql: name migrations NNNN"):
        await schema.migrate()


async def test_a_migration_that_fails_leaves_nothing_of_its_run(schema: Scratch) -> None:
    schema.write("0002_broken.sql", "CREATE TABLE half (x int); SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await schema.migrate()
    assert await tables(schema) == set()
    schema.write("0002_broken.sql", "CREATE TABLE whole (x int)")
    assert "0002_broken.sql" in await schema.migrate()


async def test_two_that_migrate_at_once_apply_each_file_once(schema: Scratch) -> None:
    schema.write("0002_slow.sql", "SELECT pg_sleep(0.3); CREATE TABLE slow (x int)")
    others = [await asyncpg.connect(schema.admin_url) for _ in range(3)]
    try:
        done = await asyncio.gather(*(schema.migrate(one) for one in others))
    finally:
        for one in others:
            await one.close()
    assert sorted(done, key=len) == [[], [], ["0000_events.sql", "0001_jars.sql", "0002_slow.sql"]]


async def test_a_service_may_serve_with_its_own_role_on_its_own_schema(schema: Scratch) -> None:
    await schema.migrate()
    await check(schema.url("app"), schema.name, schema.folder)


async def test_a_role_that_owns_tables_is_refused(schema: Scratch) -> None:
    await schema.migrate()
    with pytest.raises(RoleRefused, match=f"give the service the role {schema.name}_app"):
        await check(schema.admin_url, schema.name, schema.folder)


async def test_a_role_that_was_made_a_member_of_the_owner_is_refused(schema: Scratch) -> None:
    await schema.migrate()
    await schema.admin.execute(f"GRANT {schema.name}_owner TO {schema.name}_app")
    with pytest.raises(RoleRefused):
        await check(schema.url("app"), schema.name, schema.folder)


async def test_a_schema_that_is_behind_is_refused_with_the_command(schema: Scratch) -> None:
    await schema.migrate()
    schema.write("0002_lids.sql", "CREATE TABLE lids (lid text)")
    with pytest.raises(SchemaBehind, match=r"lacks 0002_lids\.sql: run python -m services migrate"):
        await check(schema.url("app"), schema.name, schema.folder)


async def test_the_login_roles_make_and_alter_no_tables(schema: Scratch) -> None:
    await schema.migrate()
    for role in ("app", "relay"):
        async with schema.connected(role) as connection:
            for statement in (
                "CREATE TABLE mine (x int)",
                "ALTER TABLE jars ADD COLUMN x int",
                "ALTER TABLE jars DISABLE ROW LEVEL SECURITY",
                "DROP TABLE inbox",
                f"SET ROLE {schema.name}_owner",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)


async def test_the_relay_role_reads_no_tables_of_the_service(schema: Scratch) -> None:
    await schema.migrate()
    async with schema.connected("relay") as relay:
        for table in ("jars", "inbox", "known_tenants", "migrations"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await relay.execute(f"SELECT * FROM {table}")
