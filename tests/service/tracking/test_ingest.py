"""What producers publish to the topic of ingestion arrives in runs, as if it came over HTTP."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from libs.common.telemetry.metrics import exposition
from tests.service.tracking.making import data_of, new_experiment, new_run
from tests.service.tracking.producing import SOON, Producing, producing, series
from tests.serving import Client, new_tenant
from tests.waiting import eventually


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def producer(
    tracking: Client, platform_environment: dict[str, str]
) -> AsyncIterator[Producing]:
    """A producer, while tracking runs."""
    async with producing(platform_environment) as running:
        yield running


async def history(client: Client, run_id: str, key: str) -> list[Any]:
    """All points of a metric: value, time and step."""
    answer = await client.get("metrics/get-history", f"run_id={run_id}&metric_key={key}")
    return [(p["value"], p["timestamp"], p.get("step", 0)) for p in answer.get("metrics", ())]


async def points_in(client: Client, run_id: str, key: str, count: int) -> list[Any]:
    """The points of a metric, once there are so many."""

    async def there() -> list[Any] | None:
        found = await history(client, run_id, key)
        return found if len(found) >= count else None

    found = await eventually(there, within=SOON)
    return list(found or ())


@pytest.mark.parametrize("packed", [False, True], ids=["json", "msgpack"])
async def test_points_params_and_tags_arrive(
    client: Client, producer: Producing, packed: bool
) -> None:
    run_id = await new_run(client, await new_experiment(client))
    loss = {"key": "loss", "values": [0.5, "NaN", "Infinity"], "times": [1, 2, 3]}
    await producer.tell(
        client,
        run_id,
        packed=packed,
        metrics=[series("accuracy", 900), loss],
        params={"rate": "0.1"},
        tags={"team": "vision"},
    )
    found = await points_in(client, run_id, "accuracy", 900)
    assert found == [(float(step), 1000 + step, step) for step in range(900)]
    assert len(await history(client, run_id, "loss")) == 3
    data = await data_of(client, run_id)
    assert {"key": "rate", "value": "0.1"} in data["params"]
    assert {"key": "team", "value": "vision"} in data["tags"]
    latest = {metric["key"]: metric["step"] for metric in data["metrics"]}
    assert latest == {"accuracy": 899, "loss": 0}


async def test_a_producer_creates_its_run_and_ends_it(client: Client, producer: Producing) -> None:
    experiment, run_id = await new_experiment(client), uuid.uuid4().hex
    create = {"experiment_id": experiment, "start_time": 5, "name": "by event"}
    await producer.tell(client, run_id, create=create, metrics=[series("m", 2)])
    await producer.tell(client, run_id, create=create, status="FINISHED", end_time=9)

    async def ended() -> Any:
        run = (await client.get("runs/get", f"run_id={run_id}"))["run"]
        return run if run["info"]["status"] == "FINISHED" else None

    run = await eventually(ended, within=SOON)
    info = run["info"]
    assert (info["run_name"], info["start_time"], info["end_time"]) == ("by event", 5, 9)
    assert info["experiment_id"] == experiment
    assert info["artifact_uri"].endswith(f"/{experiment}/{run_id}/artifacts")
    assert await history(client, run_id, "m") == [(0.0, 1000, 0), (1.0, 1001, 1)]


async def test_a_doubled_event_changes_nothing(client: Client, producer: Producing) -> None:
    run_id, event_id = await new_run(client), str(uuid.uuid4())
    first = await producer.message(
        client, run_id, event_id=event_id, metrics=[series("m", 3)], tags={"a": "1"}
    )
    again = await producer.message(
        client, run_id, event_id=event_id, metrics=[series("m", 3, first=10)], tags={"a": "2"}
    )
    # In one batch, and in a later one.
    await producer.send(first, first, again)
    await producer.tell(client, run_id, metrics=[series("seen", 1)])
    await points_in(client, run_id, "seen", 1)
    await producer.send(again)
    await producer.tell(client, run_id, metrics=[series("seen", 2, first=5)])
    await points_in(client, run_id, "seen", 3)
    assert len(await history(client, run_id, "m")) == 3
    assert await rows_of(client, run_id) == 3 + 3
    assert {"key": "a", "value": "1"} in (await data_of(client, run_id))["tags"]


async def test_another_tenant_cannot_use_up_an_events_id(
    client: Client, producer: Producing
) -> None:
    other, event_id = client.of(new_tenant()), str(uuid.uuid4())
    for each in (other, client):
        run_id = await new_run(each)
        await producer.tell(each, run_id, event_id=event_id, metrics=[series("m", 1)])
        await points_in(each, run_id, "m", 1)


async def test_what_is_sent_of_a_run_is_applied_in_its_order(
    client: Client, producer: Producing
) -> None:
    runs = [await new_run(client) for _ in range(4)]
    sent = [
        await producer.message(
            client,
            run_id,
            tags={"last": str(number)},
            status="RUNNING" if number < 59 else "FINISHED",
            metrics=[{"key": "m", "values": [number], "times": [5], "steps": [5]}],
        )
        for number in range(60)
        for run_id in runs
    ]
    await producer.send(*sent)
    for run_id in runs:
        found = await points_in(client, run_id, "m", 60)
        assert [value for value, _, _ in found] == [float(number) for number in range(60)]
        run = (await client.get("runs/get", f"run_id={run_id}"))["run"]
        assert run["info"]["status"] == "FINISHED"
        assert {"key": "last", "value": "59"} in run["data"]["tags"]


async def test_facts_are_told_as_over_http(client: Client, producer: Producing) -> None:
    run_id = uuid.uuid4().hex
    create = {"experiment_id": await new_experiment(client), "start_time": 1, "name": "told"}
    sent = [
        await producer.message(
            client, run_id, create=create, params={"p": "1"}, metrics=[series("m", 2)]
        ),
        await producer.message(
            client, run_id, tags={"t": "2"}, metrics=[series("m", 2, first=2), series("n", 1)]
        ),
        await producer.message(client, run_id, status="FAILED", end_time=3),
    ]
    await producer.send(*sent)

    async def told() -> list[dict[str, Any]]:
        facts = await facts_of(client, run_id)
        return facts if any(fact.get("run", {}).get("status") == "FAILED" for fact in facts) else []

    facts = await eventually(told, within=SOON)
    created = [fact for fact in facts if fact.get("version") == 1 and "run" in fact]
    assert [fact["run"]["name"] for fact in created] == ["told"]
    assert sum(fact.get("points", 0) for fact in facts) == 5
    steps = {key: step for fact in facts for key, step in fact.get("steps", {}).items()}
    assert steps == {"m": 3, "n": 0}
    params = {key: value for fact in facts for key, value in fact.get("params", {}).items()}
    assert params == {"p": "1"}


async def test_a_run_is_renamed_and_its_models_points_are_found(
    client: Client, producer: Producing
) -> None:
    experiment = await new_experiment(client)
    run_id = await new_run(client, experiment)
    made = await client.post("logged-models", {"experiment_id": experiment, "name": "m"})
    model_id = made["model"]["info"]["model_id"]
    of_model = series("accuracy", 2, model_id=model_id, dataset_name="d", dataset_digest="x")
    await producer.tell(
        client, run_id, metrics=[of_model, series("plain", 1)], tags={"mlflow.runName": "renamed"}
    )
    await points_in(client, run_id, "accuracy", 2)
    run = (await client.get("runs/get", f"run_id={run_id}"))["run"]
    assert run["info"]["run_name"] == "renamed"
    model = (await client.get(f"logged-models/{model_id}"))["model"]
    assert {metric["key"] for metric in model["data"]["metrics"]} == {"accuracy"}


async def test_the_lag_is_exported(client: Client, producer: Producing) -> None:
    run_id = await new_run(client)
    await producer.tell(client, run_id, metrics=[series("m", 1)])
    await points_in(client, run_id, "m", 1)

    def caught_up() -> bool:
        text = exposition().decode()
        names = ("maestro_messages_behind", "maestro_seconds_behind")
        return all(f'{name}{{group="tracking.ingest"}} 0.0' in text for name in names)

    await eventually(caught_up, within=SOON)


async def rows_of(client: Client, run_id: str) -> int:
    """How many rows of points a run has, doubled ones counted as often as they are there."""
    tenant_no = client.tenant.number
    async with client.running.database.reading(tenant_no) as connection:
        count: int = await connection.fetchval(
            "SELECT (SELECT count(*) FROM metric_points p WHERE p.tenant_no = $1"
            " AND p.run_no = r.run_no) + (SELECT coalesce(sum(s.points), 0)::int8"
            " FROM metric_segments s WHERE s.tenant_no = $1 AND s.run_no = r.run_no)"
            " FROM runs r WHERE r.tenant_no = $1 AND r.run_id = $2",
            tenant_no,
            uuid.UUID(run_id),
        )
    return count


async def facts_of(client: Client, run_id: str) -> list[dict[str, Any]]:
    """What the outbox holds about a run, in its order."""
    env = client.running.common.relay_database_url
    connection = await asyncpg.connect(env, server_settings={"search_path": "tracking"})
    try:
        rows = await connection.fetch(
            "SELECT payload FROM outbox WHERE key = $1 OR key = 'points' AND tenant_no = $2"
            " ORDER BY seq",
            *(run_id, client.tenant.number),
        )
    finally:
        await connection.close()
    facts = [msgspec.json.decode(row["payload"]) for row in rows]
    return [part for fact in facts for part in fact.get("runs", [fact])]
