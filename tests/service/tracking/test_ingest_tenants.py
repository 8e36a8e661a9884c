"""What a tenant's standing does to its events: suspended, at the end of its quota, in a workspace."""

import time
import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import count
from typing import Any

import pytest
import pytest_asyncio
import structlog

from libs.common.events.messages import Message
from services.tracking.commands.ingestion import ingest
from services.tracking.model.shares import Shares
from services.tracking.state import state_of
from tests.service.tracking.making import data_of, new_experiment, new_run
from tests.service.tracking.producing import SOON, Producing, producing, series
from tests.serving import Client
from tests.waiting import eventually


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def producer(
    tracking: Client, platform_environment: dict[str, str]
) -> AsyncIterator[Producing]:
    """A producer, while tracking runs."""
    async with producing(platform_environment) as running:
        yield running


async def blamed(producer: Producing, client: Client, run_id: str, **told: Any) -> str:
    """The field and the reason on the dead letter of a message."""
    bad = await producer.message(client, run_id, **told)
    await producer.send(bad)
    (letter,) = await producer.buried(bad)
    return f"{letter.headers['maestro_dead_field'].decode()}: {letter.reason}"


async def test_events_of_a_suspended_tenant_are_put_aside(
    client: Client, producer: Producing
) -> None:
    run_id = await new_run(client)
    await client.running.database.execute(
        "INSERT INTO known_tenants (tenant_no, tenant, name, status, version)"
        " VALUES ($1, $2::uuid, 'away', 'suspended', 1)",
        client.tenant.number,
        client.tenant.id,
    )
    told = await blamed(producer, client, run_id, tags={"a": "b"})
    assert told == "maestro-pass: the tenant is suspended"


async def test_new_runs_are_within_the_quota_and_running_ones_go_on(
    client: Client, producer: Producing
) -> None:
    experiment = await new_experiment(client)
    run_id = await new_run(client, experiment)
    async with client.running.database.transaction(client.tenant.number) as connection:
        await connection.execute(
            "INSERT INTO tenant_plans (tenant_no, plan, version) VALUES ($1, 'free', 1)",
            client.tenant.number,
        )
        await connection.execute(
            "INSERT INTO run_usage (tenant_no, day, part, runs)"
            " VALUES ($1, (now() AT TIME ZONE 'UTC')::date, 100, 498)",
            client.tenant.number,
        )
    create = {"experiment_id": experiment, "start_time": 1}
    last, one_more = uuid.uuid4().hex, uuid.uuid4().hex
    await producer.tell(client, last, create=create, metrics=[series("m", 1)])

    async def made() -> bool:
        return bool((await data_of(client, last))["metrics"])

    # The two runs may lie in partitions that are read at the same time.
    await eventually(made, within=SOON)
    told = await blamed(producer, client, one_more, create=create)
    assert told.startswith("create: Quota of new runs: 500 of the 500")
    await producer.tell(client, run_id, create=create, tags={"goes": "on"})

    async def on() -> bool:
        return "goes" in {tag["key"] for tag in (await data_of(client, run_id))["tags"]}

    await eventually(on, within=SOON)


async def test_a_pass_is_of_one_workspace_and_ends_with_its_credential(
    client: Client, producer: Producing
) -> None:
    run_id = await new_run(client)
    elsewhere = client.of(client.tenant)
    elsewhere.claims = {"workspace_id": 7, "cex": 4_000_000_000}
    told = await blamed(producer, elsewhere, run_id, tags={"a": "b"})
    assert told == f"run_id: Run with id={run_id} not found"
    create = {"experiment_id": await new_experiment(client), "start_time": 1}
    told = await blamed(producer, elsewhere, uuid.uuid4().hex, create=create)
    assert told.startswith("create: No Experiment with id=")
    ends = int(datetime.now().timestamp()) + 50  # noqa: DTZ005 - seconds since 1970 either way
    elsewhere.claims["cex"] = ends
    given = await producer.pass_of(elsewhere)
    assert datetime.fromisoformat(given["expires_at"]).timestamp() == ends


async def test_whose_messages_they_are_is_logged_where_they_are_read_late(
    client: Client, producer: Producing, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await new_run(client)
    minutes = count(0.0, 60.0)
    monkeypatch.setattr(state_of(client.running), "shares", Shares(lambda: next(minutes)))
    late = int(time.time() - 40) * 1000
    for arrived in (late, int(time.time()) * 1000):
        sent = await producer.message(client, run_id, metrics=[series("m", 3)])
        headers = dict(sent.headers)
        with structlog.testing.capture_logs() as logs:
            assert await ingest(
                client.running, [Message(sent.key, sent.body, headers, arrived)]
            ) == [None]
        told = [line for line in logs if line["event"] == "ingest_behind"]
        if arrived == late:
            assert told[0]["percent_of_tenants"] == {client.tenant.id: 100}
            assert 39 <= told[0]["seconds"] <= 60
        else:
            assert told == []
