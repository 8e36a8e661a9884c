"""Quotas: new runs and uploads are refused by name when the plan is used up, logging never is."""

import asyncio
from uuid import uuid4

import msgspec

from libs.common.contracts.auth import TENANTS, Tenant, TenantChanged
from libs.common.contracts.plans import PLANS
from libs.common.events.envelope import Event
from libs.common.events.outbox import Caused, UnitOfWork
from libs.common.http.calling import Reply
from services.tracking.consumers import on_tenant
from services.tracking.queries.usage import usage_of
from services.tracking.state import state_of
from tests.service.tracking.owners import new_run, of_run, stored
from tests.serving import Client

FREE = PLANS["free"]


async def on_plan(client: Client, plan: str, version: int = 1) -> None:
    """Tell tracking of the tenant's plan, as auth's fact does."""
    tenant, number = client.tenant.id, client.tenant.number
    state = Tenant(tenant=tenant, tenant_no=number, name="t", status="active", plan=plan)
    fact = TenantChanged(version=version, tenant=state)
    event = Event(
        id=uuid4(),
        type="auth.tenant.changed",
        topic=TENANTS.name,
        key=tenant,
        tenant=tenant,
        tenant_no=number,
        subject="test",
        version=version,
        time="",
        traceparent="",
        fact=fact,
    )
    async with client.running.database.transaction(number) as connection:
        await on_tenant(UnitOfWork(connection, Caused(tenant, number, "test")), event)
    forget(client)


def forget(client: Client) -> None:
    """What was seen a moment ago is read anew."""
    state_of(client.running).usage._seen.clear()


async def used(client: Client) -> tuple[int, int]:
    """Runs of today and bytes of artifacts."""
    number = client.tenant.number
    async with client.running.database.reading(number) as connection:
        found = await usage_of(connection, number)
    return found.runs, found.stored


def message(reply: Reply) -> str:
    """A refusal's words."""
    said: dict[str, str] = msgspec.json.decode(reply.body)
    assert said["error_code"] == "PERMISSION_DENIED"
    return said["message"]


async def create(client: Client) -> Reply:
    """Try to make a run."""
    return await client.ask("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})


async def test_runs_and_bytes_are_counted_for_their_tenant_alone(client: Client) -> None:
    runs = await asyncio.gather(*(new_run(client) for _ in range(20)))
    assert await used(client) == (20, 0)
    for path, size in (("/a", 1000), ("/d/b", 500), ("/d/e/c", 50)):
        await client.ask("PUT", of_run(runs[0], path), raw=bytes(size))
    assert await used(client) == (20, 1550)
    await client.ask("PUT", of_run(runs[0], "/a"), raw=bytes(10))
    assert await used(client) == (20, 560)
    await client.ask("DELETE", of_run(runs[0], "/a"))
    assert await used(client) == (20, 550)
    await client.ask("DELETE", of_run(runs[0], "/d"))
    await client.ask("DELETE", of_run(runs[0], "/d"))
    assert await used(client) == (20, 0)


async def test_new_runs_end_with_the_days_quota_and_running_ones_go_on(client: Client) -> None:
    await on_plan(client, "free")
    run_id = await new_run(client)
    async with client.running.database.transaction(client.tenant.number) as connection:
        await connection.execute("UPDATE run_usage SET runs = $1", FREE.runs - 1)
    forget(client)
    assert (await create(client)).status == 200
    reply = await create(client)
    assert reply.status == 403
    for word in ("new runs", str(FREE.runs), "'free'", "tomorrow", "operator"):
        assert word in message(reply)
    await client.post("runs/log-metric", {"run_id": run_id, "key": "a", "value": 1, "timestamp": 1})
    await client.post("runs/update", {"run_id": run_id, "status": "FINISHED"})
    await on_plan(client, "team", version=2)
    assert (await create(client)).status == 200


async def test_uploads_end_with_the_storage_and_room_can_be_made(client: Client) -> None:
    await on_plan(client, "free")
    run_id = await new_run(client)
    number = client.tenant.number
    await client.ask("PUT", of_run(run_id, "/old"), raw=bytes(100))
    async with client.running.database.transaction(number) as connection:
        await connection.execute("UPDATE artifact_usage SET bytes = $1", FREE.storage_bytes - 50)
    forget(client)
    reply = await client.ask("PUT", of_run(run_id, "/new"), raw=bytes(51))
    assert reply.status == 403
    for word in ("storage", str(FREE.storage_bytes), "'free'", "Remove artifacts"):
        assert word in message(reply)
    unsaid = await client.ask(
        "PUT", of_run(run_id, "/new"), raw=bytes(51), headers=[("transfer-encoding", "chunked")]
    )
    assert unsaid.status == 403
    assert await stored(client) == [f"0/{run_id}/artifacts/old"]
    assert (await client.ask("PUT", of_run(run_id, "/new"), raw=bytes(50))).status == 200
    assert (await client.ask("PUT", of_run(run_id, "/old"), raw=bytes(100))).status == 200
    assert (await client.ask("PUT", of_run(run_id, "/empty"), raw=b"")).status == 200
    assert (await client.ask("PUT", of_run(run_id, "/more"), raw=b"x")).status == 403
    await client.ask("DELETE", of_run(run_id, "/old"))
    assert (await client.ask("PUT", of_run(run_id, "/more"), raw=bytes(100))).status == 200
    await client.post("runs/log-metric", {"run_id": run_id, "key": "a", "value": 1, "timestamp": 1})


async def test_a_plan_of_an_older_fact_does_not_come_back(client: Client) -> None:
    await on_plan(client, "team", version=5)
    await on_plan(client, "free", version=4)
    number = client.tenant.number
    async with client.running.database.reading(number) as connection:
        assert (await usage_of(connection, number)).plan == "team"


async def test_without_a_plan_nothing_is_bounded_and_an_unknown_one_is_the_smallest(
    client: Client,
) -> None:
    await new_run(client)
    async with client.running.database.transaction(client.tenant.number) as connection:
        await connection.execute("UPDATE run_usage SET runs = $1", FREE.runs)
    forget(client)
    assert (await create(client)).status == 200
    await on_plan(client, "unlimited", version=2)
    assert (await create(client)).status == 200
    await on_plan(client, "of a later release", version=3)
    assert (await create(client)).status == 403
