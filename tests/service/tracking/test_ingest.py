"""What producers publish to the topic of ingestion arrives in runs, as if it came over HTTP."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.service.tracking.making import data_of, new_experiment, new_run
from tests.service.tracking.producing import Producing, producing, series
from tests.serving import Client
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

    found = await eventually(there, within=15)
    assert found is not None
    return found


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

    run = await eventually(ended, within=15)
    info = run["info"]
    assert (info["run_name"], info["start_time"], info["end_time"]) == ("by event", 5, 9)
    assert info["experiment_id"] == experiment
    assert info["artifact_uri"].endswith(f"/{experiment}/{run_id}/artifacts")
    assert await history(client, run_id, "m") == [(0.0, 1000, 0), (1.0, 1001, 1)]
