"""Contents that two transactions want at once: none is lost, none is forgotten, none blocks another."""

import asyncio

from libs.common.workspaces import DEFAULT_ID
from services.tracking.commands.contents import unlink_below
from services.tracking.store import contents as store
from tests.service.tracking.owners import new_run, of_run
from tests.service.tracking.test_contents import put, swept
from tests.serving import Client
from tests.waiting import eventually


async def waiting(client: Client, *tasks: asyncio.Task[object]) -> None:
    """Until each of the tasks has ended or waits for somebody's lock."""

    async def all_do() -> bool:
        blocked: int = await client.running.database.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = current_user"
            " AND datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
        )
        return blocked >= sum(not task.done() for task in tasks)

    await eventually(all_do)


async def the_content(client: Client) -> int:
    number = client.tenant.number
    async with client.running.database.reading(number) as connection:
        found: int = await connection.fetchval(
            "SELECT content_no FROM contents WHERE tenant_no = $1", number
        )
    return found


async def test_a_content_that_is_let_go_while_a_sweep_looks_is_freed_by_the_next(
    client: Client,
) -> None:
    run_id, number = await new_run(client), client.tenant.number
    database = client.running.database
    for _ in range(2):  # the second leaves a row that tells of the content, though it is held
        await put(client, of_run(run_id, "/a"), b"let go")
    content = await the_content(client)
    async with database.transaction(number) as connection:
        await unlink_below(connection, number, DEFAULT_ID, f"0/{run_id}/artifacts/a")
        sweeping = asyncio.create_task(store.free_unused(database, number, [content], 0.0))
        await waiting(client, sweeping)
    await sweeping
    assert await swept(client) == []
