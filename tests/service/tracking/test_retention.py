"""Rules of retention: how long an experiment keeps what is deleted, and whose it is."""

import json
from dataclasses import replace

import pytest

from libs.common.service import Running
from services.tracking import workers
from services.tracking.commands.collecting import collect
from services.tracking.model.retention import Collected, Scope
from services.tracking.store.condemned import leads
from tests.service.registry.neighbours import know_tenant
from tests.service.tracking.collecting import NOTHING, full_run, is_there, scope_of, would_go
from tests.service.tracking.making import new_experiment, new_run
from tests.serving import Client, new_tenant


async def test_an_experiments_own_rule_counts_for_what_lies_in_it(client: Client) -> None:
    path = "/api/maestro/v1/experiments/{}/retention"
    never, quick = await new_experiment(client), await new_experiment(client)
    reply = await client.ask("GET", path.format(never))
    assert json.loads(reply.body) == {
        "deleted_days": 30,
        "finished_days": None,
        "archive_days": 0,
        "own": False,
    }
    for experiment, days in ((never, 0), (quick, 2)):
        body = {"deleted_days": days, "finished_days": 1}
        assert (await client.ask("PUT", path.format(experiment), body)).status == 200
    runs = {experiment: await new_run(client, experiment) for experiment in (never, quick)}
    for run_id in runs.values():
        await client.post("runs/delete", {"run_id": run_id})
    assert await would_go(client, None) == NOTHING
    await age(client, days=3)
    assert (await would_go(client, None))["runs"] == 1
    await collect(client.running, scope_of(client, None))
    assert await condemned(client) == [runs[quick]]
    # Another rule, and it is weighed anew.
    assert (await client.ask("PUT", path.format(quick), {"deleted_days": 0})).status == 200
    assert await condemned(client) == []
    cleared = await client.ask("DELETE", path.format(never))
    assert json.loads(cleared.body)["own"] is False
    await age(client, days=30)
    assert (await would_go(client, None))["runs"] == 1


async def condemned(client: Client) -> list[str]:
    """The runs of which the registry is asked."""
    async with client.running.database.reading(client.tenant.number) as connection:
        rows = await connection.fetch(
            "SELECT id FROM condemned WHERE tenant_no = $1", client.tenant.number
        )
    return [row["id"].hex for row in rows]


async def age(client: Client, days: int) -> None:
    """Let what is deleted have been deleted so many days longer."""
    async with client.running.database.transaction(client.tenant.number) as connection:
        await connection.execute(
            "UPDATE runs SET deleted_time = deleted_time - $2 WHERE tenant_no = $1",
            *(client.tenant.number, days * 86_400_000),
        )


async def test_finished_runs_are_put_aside_by_rule_and_no_others(client: Client) -> None:
    experiment = await new_experiment(client)
    rule = {"deleted_days": 30, "finished_days": 1}
    path = f"/api/maestro/v1/experiments/{experiment}/retention"
    assert (await client.ask("PUT", path, rule)).status == 200
    lasting, ended, lately = [await new_run(client, experiment) for _ in range(3)]
    for run_id, end in ((ended, 1), (lately, 2**50)):
        body = {"run_id": run_id, "status": "FINISHED", "end_time": end}
        await client.post("runs/update", body)
    # An end in 1970 is the client's word: the run itself was made just now.
    assert (await collect(client.running, scope_of(client, None))).put_aside == 0
    old = "01800000000070008000000000000000"
    async with client.running.database.transaction(client.tenant.number) as connection:
        await connection.execute(
            "UPDATE runs SET run_id = $3::uuid WHERE tenant_no = $1 AND run_id = $2::uuid",
            *(client.tenant.number, ended, old),
        )
    assert (await collect(client.running, scope_of(client, None))).put_aside == 1
    stages = []
    for run_id in (lasting, old, lately):
        answer = await client.get("runs/get", f"run_id={run_id}")
        stages.append(answer["run"]["info"]["lifecycle_stage"])
    assert stages == ["active", "deleted", "active"]
    # What is brought back is kept for as long again, by whichever way it came.
    await client.post("runs/restore", {"run_id": old})
    assert (await collect(client.running, scope_of(client, None))).put_aside == 0
    await client.post("experiments/delete", {"experiment_id": experiment})
    await client.post("experiments/restore", {"experiment_id": experiment})
    assert (await collect(client.running, scope_of(client, None))).put_aside == 0
    async with client.running.database.transaction(client.tenant.number) as connection:
        await connection.execute(
            "UPDATE runs SET restored_time = restored_time - 2 * 86400000 WHERE tenant_no = $1",
            client.tenant.number,
        )
    assert (await collect(client.running, scope_of(client, None))).put_aside == 1


async def test_another_tenant_and_another_workspace_keep_what_they_have(client: Client) -> None:
    run_id = await full_run(client, "0")
    await client.post("runs/delete", {"run_id": run_id})
    there = client.of(client.tenant)
    there.claims = {"workspace_id": 7}
    assert await would_go(there) == NOTHING
    assert (await would_go(client.of(new_tenant()))) == NOTHING
    assert (await would_go(client))["runs"] == 1
    await collect(client.running, replace(scope_of(client), workspace_id=7))
    assert await condemned(client) == []
    assert await is_there(client, run_id)


async def test_the_background_collector_walks_over_tenants_whatever_befalls_one(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the platform's days, as nobody has said otherwise."""
    other = client.of(new_tenant())
    for each in (client, other):
        await know_tenant(each)
    late, soon = [await new_run(other) for _ in range(2)]
    await other.post("runs/delete", {"run_id": late})
    await age(other, days=client.running.settings.retention_days + 1)
    await other.post("runs/delete", {"run_id": soon})

    async def stumbling(running: Running, scope: Scope) -> Collected:
        if scope.tenant_no == client.tenant.number:
            raise RuntimeError("this tenant's fault")
        return await collect(running, scope)

    monkeypatch.setattr(workers, "collect", stumbling)
    await workers._collect_all(client.running)
    assert await condemned(other) == [late]


async def test_of_two_processes_one_collects(client: Client) -> None:
    database = client.running.database
    async with database.transaction() as first, database.transaction() as second:
        assert await leads(first)
        assert not await leads(second)
    async with database.transaction() as third:
        assert await leads(third)
