"""The collector goes on: past what cannot be removed, through moves, races and long backlogs."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from libs.common.errors import unavailable
from libs.common.leaving import Leaving
from services.tracking.commands import collecting, workspaces
from services.tracking.commands.collecting import collect, condemn, remove
from services.tracking.commands.contents import unlink_below
from services.tracking.commands.experiments import ensure_default
from services.tracking.store import contents, removal
from services.tracking.store.runs import run_of
from tests.service.tracking.collecting import full_run, is_there, rows, scope_of, states, upload
from tests.service.tracking.making import new_experiment, new_run
from tests.service.tracking.owners import stored
from tests.service.tracking.test_forks import fork, line, log
from tests.service.tracking.test_workspaces import TEAM, Inside, put
from tests.serving import Client
from tests.waiting import eventually


async def released(client: Client, runs: list[str]) -> None:
    """Delete runs, and let the registry release them."""
    for run_id in runs:
        await client.post("runs/delete", {"run_id": run_id})
    await condemn(client.running, scope_of(client))

    async def all_of_them() -> bool:
        async with client.running.database.reading(client.tenant.number) as connection:
            count = await connection.fetchval(
                "SELECT count(*) FROM condemned WHERE tenant_no = $1 AND state = 'released'",
                client.tenant.number,
            )
        return bool(count == len(runs))

    await eventually(all_of_them, within=30)


async def test_what_cannot_be_removed_is_passed_over(
    client: Client, registry: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [await new_run(client) for _ in range(3)]
    await released(client, runs)
    unlink: Callable[..., Any] = unlink_below
    tried: list[str] = []

    async def not_the_first(*given: Any) -> int:
        tried.append(given[-1])
        if given[-1] == tried[0]:
            raise unavailable("too much")
        held: int = await unlink(*given)
        return held

    monkeypatch.setattr(collecting, "unlink_below", not_the_first)
    short = replace(scope_of(client), seconds=0.0)
    for expected in (0, 1):  # A pass that fails for all of its time does not begin with the same.
        assert (await remove(client.running, short)).runs == expected
    assert (await remove(client.running, scope_of(client))).runs == 1
    assert [await is_there(client, run_id) for run_id in runs].count(True) == 1
    tried[0] = ""
    assert (await remove(client.running, scope_of(client))).runs == 1


async def test_a_backlog_does_not_keep_a_pass_from_its_end(
    client: Client, registry: Client
) -> None:
    runs = [await full_run(client, "0") for _ in range(3)]
    await released(client, runs)
    short = replace(scope_of(client), seconds=0.0)
    for _ in runs:
        done = await remove(client.running, short)
        assert (done.runs, done.points) == (1, 5)
    assert (await rows(client))["runs"] == 0


async def test_many_files_go_in_bounded_statements(
    client: Client, registry: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "UNLINKED_AT_ONCE", 2)
    run_id, other = await new_run(client), await new_run(client)
    for name in "abcde":
        await upload(client, f"0/{run_id}/artifacts/{name}", b"12345")
    await upload(client, f"0/{other}/artifacts/a", b"12345")
    await released(client, [run_id])
    assert (await remove(client.running, scope_of(client))).bytes == 25
    assert await stored(client) == [f"0/{other}/artifacts/a"]


def moving(client: Client) -> Leaving:
    tenant = client.tenant
    return Leaving(tenant.number, TEAM, tenant.id, "team", "SET_DEFAULT", "user:d", 4, False)


@pytest.mark.parametrize("told", [True, False])
async def test_a_move_to_the_default_workspace_leaves_no_files(
    client: Client, registry: Client, told: bool
) -> None:
    """Files move first. Where the deletion is not heard of yet, the run may go between."""
    inside = Inside(client)
    experiment = await new_experiment(inside, "moves")
    run_id = await new_run(inside, experiment)
    await put(inside, f"{experiment}/{run_id}/artifacts/a", b"12345")
    await inside.post("runs/delete", {"run_id": run_id})
    await condemn(client.running, scope_of(client))
    await eventually(lambda: states(client, "released"), within=30)
    leaving = moving(client)
    await ensure_default(client.running, leaving.acting())
    if told:  # As swept a moment ago: the worker leaves it alone.
        async with client.running.database.transaction() as connection:
            await connection.execute(
                "INSERT INTO leaving_workspaces (tenant_no, workspace_id, tenant, name, mode,"
                " subject, version, swept_at)"
                " VALUES ($1, $2, $3::uuid, 'team', 'SET_DEFAULT', 'user:d', 4, now())",
                *(client.tenant.number, TEAM, client.tenant.id),
            )
    await workspaces._until_none(client.running, leaving, workspaces._move_files)
    assert (await remove(client.running, scope_of(client))).runs == (0 if told else 1)
    await workspaces.sweep(client.running, leaving)
    if told:
        assert await stored(client)
        await condemn(client.running, scope_of(client))
        await eventually(lambda: states(client, "released"), within=30)
        assert (await remove(client.running, scope_of(client))).bytes == 5
    assert await stored(client) == []


async def test_a_fork_and_its_ancestor_removed_at_once_leave_no_points(
    client: Client, registry: Client
) -> None:
    first = await new_run(client)
    await log(client, first, line("m", range(10)))
    second = (await fork(client, first, step=6))["run_id"]
    await released(client, [first, second])
    number = client.tenant.number
    async with client.running.database.transaction(number) as connection:
        row = await connection.fetchrow(
            "SELECT * FROM runs WHERE tenant_no = $1 AND run_id = $2 FOR UPDATE",
            *(number, UUID(second)),
        )
        assert row is not None
        await removal.remove_run(connection, number, run_of(row))
        other = asyncio.create_task(remove(client.running, scope_of(client)))

        async def waits() -> bool:
            async with client.running.database.reading(number) as reading:
                held = await reading.fetchval(
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                )
            return bool(held) or other.done()

        await eventually(waits, within=20)
    await other
    await collect(client.running, scope_of(client))
    counted = await rows(client)
    gone = ("metric_points", "metric_segments", "leftover_points")
    assert [counted[table] for table in gone] == [0, 0, 0]
