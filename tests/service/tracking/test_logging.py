"""What is logged is kept: latest values, histories, params that stay, and racing writers."""

import asyncio
import itertools
import random

import pytest

from tests.service.tracking.making import data_of, latest, new_run, points_of
from tests.serving import Client


async def log(client: Client, run_id: str, value: float | str, time: int, step: int) -> None:
    """One point of the metric `m`."""
    await client.post(
        "runs/log-metric",
        {"run_id": run_id, "key": "m", "value": value, "timestamp": time, "step": step},
    )


async def test_latest_is_the_greatest_step_then_time_then_value_in_any_order(
    client: Client,
) -> None:
    points: list[tuple[float | str, int, int]] = [
        (1.0, 1, 1), (2.0, 2, 1), (3.0, 2, 1), ("NaN", 2, 1), (9.0, 9, 0), (-1.0, 5, -3),
    ]  # fmt: skip
    for order in itertools.islice(itertools.permutations(points), 0, 720, 90):
        run_id = await new_run(client)
        for value, time, step in order:
            await log(client, run_id, value, time, step)
        found = await latest(client, run_id, "m")
        assert (found["value"], found["timestamp"], found["step"]) == (3.0, 2, 1)


async def test_not_a_number_counts_as_nought_where_latest_is_decided(client: Client) -> None:
    run_id = await new_run(client)
    await log(client, run_id, -1.0, 1, 1)
    await log(client, run_id, "NaN", 1, 1)
    assert (await latest(client, run_id, "m"))["value"] == "NaN"
    await log(client, run_id, 0.0, 1, 1)
    assert (await latest(client, run_id, "m"))["value"] == "NaN"
    await log(client, run_id, 0.5, 1, 1)
    assert (await latest(client, run_id, "m"))["value"] == 0.5


async def test_a_batch_agrees_with_its_points_sent_one_by_one(client: Client) -> None:
    chance = random.Random(7)
    points = [
        {
            "key": f"k{chance.randrange(3)}",
            "value": chance.choice([0.5, 1.5, "NaN", -2.0]),
            "timestamp": chance.randrange(3),
            "step": chance.randrange(3),
        }
        for _ in range(80)
    ]
    at_once, one_by_one = await new_run(client), await new_run(client)
    await client.post("runs/log-batch", {"run_id": at_once, "metrics": points})
    for point in points:
        await client.post("runs/log-metric", {"run_id": one_by_one, **point})
    for key in ("k0", "k1", "k2"):
        assert await points_of(client, at_once, key) == await points_of(client, one_by_one, key)
        assert await latest(client, at_once, key) == await latest(client, one_by_one, key)


async def test_the_same_point_sent_again_is_one_point(client: Client) -> None:
    run_id = await new_run(client)
    for _ in range(3):
        await log(client, run_id, 1.0, 5, 0)
        await log(client, run_id, "NaN", 5, 0)
    assert await points_of(client, run_id, "m") == [("NaN", 5, 0), (1.0, 5, 0)]


async def test_a_history_comes_by_time_step_and_value_and_in_pages(client: Client) -> None:
    run_id = await new_run(client)
    points = [(float(value), time, step) for value in (2, 1) for time in (3, 1) for step in (2, 1)]
    for value, time, step in points:
        await log(client, run_id, value, time, step)
    by_time = sorted(points, key=lambda point: (point[1], point[2], point[0]))
    assert await points_of(client, run_id, "m") == by_time
    seen, token = [], ""
    while True:
        answer = await client.get(
            "metrics/get-history", f"run_id={run_id}&metric_key=m&max_results=3{token}"
        )
        seen += [(p["value"], p["timestamp"], p["step"]) for p in answer["metrics"]]
        if "next_page_token" not in answer:
            break
        token = f"&page_token={answer['next_page_token']}"
    assert seen == by_time


async def test_eight_writers_at_once_lose_and_double_nothing(client: Client) -> None:
    run_id = await new_run(client)

    async def write(writer: int) -> None:
        for step in range(25):
            await log(client, run_id, writer + step / 100, 1_000 + step, step * 8 + writer)

    await asyncio.gather(*[write(writer) for writer in range(8)])
    history = await points_of(client, run_id, "m")
    assert len(history) == 200
    assert sorted(step for _, _, step in history) == list(range(200))
    assert (await latest(client, run_id, "m"))["step"] == 199


async def test_writers_of_the_same_new_keys_in_opposite_orders_all_succeed(client: Client) -> None:
    runs = [await new_run(client) for _ in range(4)]
    keys = [f"new{number}" for number in range(40)]

    async def write(run_id: str, order: list[str]) -> None:
        metrics = [{"key": key, "value": 1, "timestamp": 1, "step": 0} for key in order]
        pairs = [{"key": key, "value": "1"} for key in order]
        await client.post(
            "runs/log-batch",
            {"run_id": run_id, "metrics": metrics, "params": pairs, "tags": pairs},
        )

    await asyncio.gather(
        *[write(run, order) for run in runs for order in (keys, keys[::-1], keys[20:] + keys[:20])]
    )
    for run_id in runs:
        data = await data_of(client, run_id)
        assert {metric["key"] for metric in data["metrics"]} == set(keys)
        assert {param["key"] for param in data["params"]} == set(keys)


async def test_of_racing_params_exactly_one_value_wins(client: Client) -> None:
    run_id = await new_run(client)

    async def write(value: int) -> int:
        body = {"run_id": run_id, "key": "p", "value": str(value)}
        return (await client.ask("POST", "/api/2.0/mlflow/runs/log-parameter", body)).status

    statuses = await asyncio.gather(*[write(value) for value in range(12)])
    assert sorted(statuses) == [200] + [400] * 11
    winner = (await data_of(client, run_id))["params"]
    assert winner == [{"key": "p", "value": str(statuses.index(200))}]


async def test_a_batch_with_a_changed_param_changes_nothing(client: Client) -> None:
    run_id = await new_run(client, params={"p": "1"})
    body = {
        "run_id": run_id,
        "metrics": [{"key": "m", "value": 1, "timestamp": 1}],
        "params": [{"key": "new", "value": "1"}, {"key": "p", "value": "2"}],
        "tags": [{"key": "t", "value": "1"}],
    }
    reply = await client.ask("POST", "/api/2.0/mlflow/runs/log-batch", body)
    assert reply.status == 400
    data = await data_of(client, run_id)
    assert "metrics" not in data
    assert data["params"] == [{"key": "p", "value": "1"}]
    assert [tag["key"] for tag in data["tags"]] == ["mlflow.runName"]


async def test_a_batch_that_names_the_run_is_stored_whole(client: Client) -> None:
    run_id = await new_run(client, name="before")
    await client.post(
        "runs/log-batch",
        {
            "run_id": run_id,
            "metrics": [{"key": "m", "value": 1, "timestamp": 1}],
            "params": [{"key": "p", "value": "1"}],
            "tags": [{"key": "mlflow.runName", "value": "after"}, {"key": "t", "value": "1"}],
        },
    )
    answer = await client.get("runs/get", f"run_id={run_id}")
    assert answer["run"]["info"]["run_name"] == "after"
    tags = {tag["key"]: tag["value"] for tag in answer["run"]["data"]["tags"]}
    assert tags == {"mlflow.runName": "after", "t": "1"}
    assert len(answer["run"]["data"]["metrics"]) == 1


@pytest.mark.parametrize(
    "text", ["it''s", "a\nb", "日本語", "🙂", "\\", '"', "x" * 6_000, "{}", "$1", "%s", " "]
)
async def test_any_text_comes_back_as_it_was_sent(client: Client, text: str) -> None:
    run_id = await new_run(client, params={"p": text}, tags={"t": text})
    data = await data_of(client, run_id)
    assert data["params"] == [{"key": "p", "value": text}]
    assert {"key": "t", "value": text} in data["tags"]


async def test_a_point_of_an_unknown_model_is_refused_and_not_stored(client: Client) -> None:
    run_id = await new_run(client)
    point = {"key": "m", "value": 1, "timestamp": 1, "model_id": "m-" + "0" * 32}
    reply = await client.ask("POST", "/api/2.0/mlflow/runs/log-metric", {"run_id": run_id, **point})
    assert reply.status == 404
    reply = await client.ask(
        "POST", "/api/2.0/mlflow/runs/log-batch", {"run_id": run_id, "metrics": [point]}
    )
    assert reply.status == 404
    assert await points_of(client, run_id, "m") == []
