"""A transaction belongs to one tenant, tells what it changed, and leaves nothing behind."""

import asyncio
import json
import random

import asyncpg
import pytest

from libs.common.database import pool
from libs.common.errors import Refusal
from libs.common.service import Running
from tests.service.common.pair import Pair
from tests.signing import Tenant
from tests.waiting import eventually


async def word_of(pair: Pair, thing: str, tenant: Tenant | None = None) -> str | None:
    """The shelf's own word for a thing."""
    number = (tenant or pair.tenant).number
    async with pair.shelf.running.database.reading(number) as connection:
        word: str | None = await connection.fetchval(
            "SELECT word FROM things WHERE thing = $1", thing
        )
        return word


async def test_a_write_that_records_no_fact_fails_and_changes_nothing(pair: Pair) -> None:
    await pair.put("lamp", "on")
    reply = await pair.shelf.ask("POST", "/mute", {"thing": "lamp", "word": "off"})
    assert (reply.status, json.loads(reply.body)["error_code"]) == (500, "INTERNAL_ERROR")
    assert await word_of(pair, "lamp") == "on"


async def test_a_write_that_declares_itself_silent_passes(pair: Pair) -> None:
    await pair.put("lamp", "on")
    reply = await pair.shelf.ask("POST", "/silent", {"thing": "lamp", "word": "off"})
    assert reply.status == 200
    assert await word_of(pair, "lamp") == "off"


@pytest.mark.parametrize("word", ["a\x00b", "\x00"])
async def test_a_value_that_no_column_holds_is_refused(pair: Pair, word: str) -> None:
    reply = await pair.shelf.ask("POST", "/things", {"thing": "lamp", "word": word})
    assert (reply.status, json.loads(reply.body)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert await word_of(pair, "lamp") is None


async def test_a_transaction_sees_its_own_tenant_only(pair: Pair) -> None:
    await pair.put("lamp", "on")
    other = pair.fresh()
    database = pair.shelf.running.database
    assert await word_of(pair, "lamp", other.tenant) is None
    async with database.transaction() as connection:
        assert await connection.fetch("SELECT * FROM things") == []
    assert await database.fetch("SELECT * FROM things") == []
    async with database.transaction(other.tenant.number) as connection:
        changed = await connection.execute("UPDATE things SET word = 'stolen'")
        assert changed == "UPDATE 0"
        assert await connection.execute("DELETE FROM things") == "DELETE 0"
    assert await word_of(pair, "lamp") == "on"


async def test_a_transaction_writes_for_its_own_tenant_only(pair: Pair) -> None:
    other = pair.fresh()
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await _insert_for(pair.shelf.running, pair.tenant.number, other.tenant.number)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        await _insert_for(pair.shelf.running, None, pair.tenant.number)


async def _insert_for(running: Running, acting: int | None, row: int) -> None:
    async with running.database.transaction(acting) as connection:
        await connection.execute(
            "INSERT INTO things (tenant_no, thing, word) VALUES ($1, 'x', 'y')", row
        )


async def test_reading_changes_nothing(pair: Pair) -> None:
    async with pair.shelf.running.database.reading(pair.tenant.number) as connection:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("DELETE FROM things")


async def test_a_failed_statement_that_is_swallowed_does_not_pass_for_a_commit(pair: Pair) -> None:
    with pytest.raises(RuntimeError, match="rolled back"):
        await _swallow(pair)
    assert await word_of(pair, "lamp") is None


async def _swallow(pair: Pair) -> None:
    async with pair.shelf.running.database.transaction(pair.tenant.number) as connection:
        await connection.execute(
            "INSERT INTO things (tenant_no, thing, word) VALUES ($1, 'lamp', 'y')",
            pair.tenant.number,
        )
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.execute("SELECT 1 / 0")


async def test_requests_that_are_given_up_leave_no_tenant_on_their_connections(pair: Pair) -> None:
    database = pair.shelf.running.database
    loop = asyncio.get_running_loop()
    reported: list[str] = []  # what the pool finds open and rolls back itself
    loop.set_exception_handler(lambda _, context: reported.append(context["message"]))
    try:
        for _ in range(300):
            work = asyncio.create_task(_touch(pair))
            loop.call_later(random.random() * 0.004, work.cancel)
            await asyncio.gather(work, return_exceptions=True)
    finally:
        loop.set_exception_handler(None)
    assert reported == []
    for _ in range(20):
        tenant = await database.fetchval("SELECT current_setting('app.tenant', true)")
        assert tenant in (None, "")
        assert await database.fetchval("SELECT count(*) FROM things") == 0
    assert await word_of(pair, "lamp") is None


async def _touch(pair: Pair) -> None:
    async with pair.shelf.running.database.transaction(pair.tenant.number) as connection:
        await connection.execute(
            "INSERT INTO things (tenant_no, thing, word) VALUES ($1, 'lamp', 'y')",
            pair.tenant.number,
        )
        await connection.execute("DELETE FROM things WHERE thing = 'lamp'")
        await connection.fetchval("SELECT count(*) FROM things")


async def test_with_all_connections_taken_a_request_hears_that_it_may_come_again(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "ACQUIRE_SECONDS", 0.2)
    database = pair.shelf.running.database
    release = asyncio.Event()
    held: list[bool] = []

    async def hold() -> None:
        async with database.transaction():
            held.append(True)
            await release.wait()

    holders = [asyncio.create_task(hold()) for _ in range(pair.shelf.running.common.pool_size)]
    try:
        await eventually(lambda: len(held) == len(holders))
        with pytest.raises(Refusal) as refused:
            await database.fetchval("SELECT 1")
        assert (refused.value.status, refused.value.retry_after) == (503, 1)
    finally:
        release.set()
        await asyncio.gather(*holders)
    assert await database.fetchval("SELECT 1") == 1
