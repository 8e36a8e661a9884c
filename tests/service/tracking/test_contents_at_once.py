"""Contents that two transactions want at once: none is lost, none is forgotten, none blocks another."""

import asyncio
from uuid import UUID

from libs.common.workspaces import DEFAULT_ID
from services.tracking.artifacts.paths import Owner, new_key
from services.tracking.commands.contents import unlink_below
from services.tracking.model.contents import Content
from services.tracking.store import contents as store
from services.tracking.store import removal
from services.tracking.store.runs import run_of
from tests.service.tracking.owners import new_run, of_run, stored
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


async def test_an_upload_and_a_removal_of_one_path_wait_for_each_other_in_one_order(
    client: Client,
) -> None:
    run_id, number = await new_run(client), client.tenant.number
    path = of_run(run_id, "/a")
    await put(client, path, b"wanted")
    async with client.running.database.transaction(number) as connection:
        await connection.execute(
            "SELECT FROM contents WHERE tenant_no = $1 FOR NO KEY UPDATE", number
        )
        upload = asyncio.create_task(client.ask("PUT", path, raw=b"wanted"))
        await waiting(client, upload)
        removing = asyncio.create_task(client.ask("DELETE", path))
        await waiting(client, upload, removing)
    assert ((await upload).status, (await removing).status) == (200, 200)


async def test_an_upload_waits_for_the_removal_of_its_run(client: Client) -> None:
    run_id, number = await new_run(client), client.tenant.number
    async with client.running.database.transaction(number) as connection:
        row = await connection.fetchrow(
            "SELECT * FROM runs WHERE tenant_no = $1 AND run_id = $2 FOR UPDATE",
            *(number, UUID(run_id)),
        )
        assert row is not None
        upload = asyncio.create_task(client.ask("PUT", of_run(run_id, "/a"), raw=b"late"))
        await waiting(client, upload)
        await removal.remove_run(connection, number, run_of(row))
    assert ((await upload).status, await stored(client)) == (404, [])
    assert await swept(client) == []


async def test_an_upload_waits_for_the_sweep_that_removes_its_object(client: Client) -> None:
    run_id, tenant = await new_run(client), client.tenant
    owner, key = Owner("run", "0", run_id), new_key(tenant.id)
    database = client.running.database
    await store.begin_object(database, key)
    given = (tenant.number, DEFAULT_ID, f"{owner.folder}/a", owner, Content(bytes(32), 3), key)
    async with database.transaction() as connection:
        await connection.execute("SELECT FROM loose_objects WHERE object_key = $1 FOR UPDATE", key)
        keeping = asyncio.create_task(store.keep(database, *given))
        await waiting(client, keeping)
        await store.objects_removed(connection, [key])
    assert ((await keeping).why, await stored(client)) == ("late", [])
