"""Runs and experiments for tests, made over HTTP."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from tests.serving import Client


async def new_experiment(client: Client, name: str | None = None) -> str:
    """The id of a new experiment."""
    made = await client.post("experiments/create", {"name": name or f"experiment {uuid4().hex}"})
    experiment_id: str = made["experiment_id"]
    return experiment_id


async def new_run(
    client: Client,
    experiment_id: str = "0",
    *,
    metrics: Mapping[str, float | str] | None = None,
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    start_time: int = 0,
    name: str = "run",
) -> str:
    """The id of a new run with what is logged into it."""
    made = await client.post(
        "runs/create",
        {
            "experiment_id": experiment_id,
            "user_id": "ada",
            "start_time": start_time,
            "run_name": name,
            "tags": [{"key": key, "value": value} for key, value in (tags or {}).items()],
        },
    )
    run_id: str = made["run"]["info"]["run_id"]
    points = [
        {"key": key, "value": value, "timestamp": 1, "step": 0}
        for key, value in (metrics or {}).items()
    ]
    pairs = [{"key": key, "value": value} for key, value in (params or {}).items()]
    if points or pairs:
        await client.post("runs/log-batch", {"run_id": run_id, "metrics": points, "params": pairs})
    return run_id


async def data_of(client: Client, run_id: str) -> Any:
    """What was logged into a run, as runs/get tells it."""
    answer = await client.get("runs/get", f"run_id={run_id}")
    return answer["run"]["data"]


async def latest(client: Client, run_id: str, key: str) -> Any:
    """The latest point of a metric."""
    data = await data_of(client, run_id)
    return next(metric for metric in data["metrics"] if metric["key"] == key)


async def points_of(client: Client, run_id: str, key: str) -> list[tuple[Any, int, int]]:
    """A metric's history as (value, time, step)."""
    answer = await client.get("metrics/get-history", f"run_id={run_id}&metric_key={key}")
    return [
        (point["value"], point["timestamp"], point["step"]) for point in answer.get("metrics", [])
    ]
