"""The outbox lies in days: old ones go when all is told, and a write never lacks a place."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from tests.service.common.scratch import Scratch, scratch

KEEP_DAYS, KEEP_INBOX_DAYS = 4, 14


@pytest_asyncio.fixture(loop_scope="session")
async def schema(platform_environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Scratch]:
    """A schema with an outbox and nothing else."""
    async with scratch(platform_environment, tmp_path) as made:
        await made.migrate()
        yield made


def day(ago: int) -> date:
    """A day so many days ago, by the clock the outbox goes by."""
    return (datetime.now(UTC) - timedelta(days=ago)).date()


async def record(schema: Scratch, ago: int, *, told: bool) -> None:
    """A fact of an earlier day, in a partition of its own."""
    name, when = f"outbox_{day(ago):%Y%m%d}", day(ago)
    async with schema.connected("owner") as owner:
        if await owner.fetchval("SELECT to_regclass($1)", name) is None:
            await owner.execute(
                f"CREATE TABLE {name} PARTITION OF outbox"
                f" FOR VALUES FROM ('{when}') TO ('{when + timedelta(days=1)}')"
            )
        await owner.execute(
            "INSERT INTO outbox (day, event_id, topic, type, key, tenant, tenant_no, subject,"
            " version, payload, traceparent, published_at)"
            " VALUES ($1, gen_random_uuid(), 't', 't', 'k', gen_random_uuid(), 1, 's', 1, '{}',"
            " '', CASE WHEN $2 THEN now() END)",
            when,
            told,
        )


async def days(schema: Scratch) -> set[str]:
    """The outbox's partitions."""
    async with schema.connected("owner") as owner:
        rows = await owner.fetch(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'outbox'::regclass"
        )
    return {row["relname"] for row in rows}


async def rotate(schema: Scratch) -> None:
    """Rotate as the relay does."""
    async with schema.connected("relay") as relay:
        await relay.execute(f"SELECT rotate_events({KEEP_DAYS}, {KEEP_INBOX_DAYS})")


def ahead() -> set[str]:
    """The partitions of today and the next three days, and the one for the rest."""
    return {f"outbox_{day(-n):%Y%m%d}" for n in range(4)} | {"outbox_rest"}


async def test_the_next_days_are_there_from_the_start(schema: Scratch) -> None:
    assert await days(schema) == ahead()


async def test_old_days_go_once_all_their_facts_are_told(schema: Scratch) -> None:
    await record(schema, 5, told=True)
    await record(schema, 9, told=True)
    await record(schema, 9, told=False)
    await record(schema, 4, told=True)
    await rotate(schema)
    kept = {f"outbox_{day(9):%Y%m%d}", f"outbox_{day(4):%Y%m%d}"}
    assert await days(schema) == ahead() | kept
    async with schema.connected("relay") as relay:
        await relay.execute("UPDATE outbox SET published_at = now() WHERE published_at IS NULL")
    await rotate(schema)
    assert await days(schema) == ahead() | {f"outbox_{day(4):%Y%m%d}"}


async def test_a_write_without_a_day_of_its_own_still_finds_a_place(schema: Scratch) -> None:
    async with schema.connected("owner") as owner:
        await owner.execute(f"DROP TABLE outbox_{day(0):%Y%m%d}")
        await owner.execute(f"DROP TABLE outbox_{day(-1):%Y%m%d}")
    async with schema.connected("app") as app:
        await app.execute(
            "INSERT INTO outbox (event_id, topic, type, key, tenant, tenant_no, subject, version,"
            " payload, traceparent) VALUES (gen_random_uuid(), 't', 't', 'k', gen_random_uuid(),"
            " 1, 's', 1, '{}', '')"
        )
    await rotate(schema)  # today's cannot be made any more, and tomorrow's is
    assert await days(schema) == ahead() - {f"outbox_{day(0):%Y%m%d}"}
    async with schema.connected("relay") as relay:
        assert await relay.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 1


async def test_the_inbox_forgets_what_no_topic_keeps(schema: Scratch) -> None:
    async with schema.connected("app") as app:
        await app.execute(
            "INSERT INTO inbox SELECT 'things', gen_random_uuid(), now() - d * interval '1 day'"
            " FROM generate_series(11, 17) AS d"
        )
    await rotate(schema)
    async with schema.connected("app") as app:
        assert await app.fetchval("SELECT count(*) FROM inbox") == 3


async def test_the_app_role_rotates_nothing_and_reads_no_facts(schema: Scratch) -> None:
    async with schema.connected("app") as app:
        for statement in (
            "SELECT rotate_events(0, 0)",
            "SELECT count(*) FROM outbox",
            "UPDATE outbox SET published_at = now()",
            "DELETE FROM inbox",
            f"SELECT count(*) FROM outbox_{day(0):%Y%m%d}",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(statement)


async def test_a_reader_of_the_outbox_puts_the_rotation_off_and_no_write(schema: Scratch) -> None:
    await record(schema, 9, told=True)
    async with schema.connected("owner") as reader, reader.transaction():
        await reader.fetch("SELECT count(*) FROM outbox")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await rotate(schema)
        await record(schema, 0, told=True)
    await rotate(schema)
    assert await days(schema) == ahead()
