"""Search of runs beside MLflow's own filter and sort, over runs with everything missing sometimes."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import quote

import pytest
import pytest_asyncio
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    Metric,
    Param,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunTag,
)
from mlflow.utils import search_utils

from tests.service.tracking.making import new_experiment, new_run
from tests.serving import Client, new_tenant

MLFLOW: Final[Any] = search_utils.SearchUtils
STATUSES: Final = ("RUNNING", "FINISHED", "FAILED")
COUNT: Final = 60
T = TypeVar("T")


@dataclass
class World:
    """An experiment's runs, as we keep them and as MLflow would."""

    client: Client
    experiment_id: str
    runs: list[Run] = field(default_factory=list)


async def a_run(world: World, chance: random.Random, number: int) -> Run:
    """One run with some of everything, in both worlds."""
    numbers = [0.0, 1.0, -1.5, round(chance.random(), 2), math.nan]
    metrics = some(chance, ("loss", "acc", "a/b"), numbers)
    params = some(chance, ("p", "q"), ["1", "2", "10", "v%_x", "Ä"])
    tags = some(chance, ("t", "u.v"), ["red", "Red", "blue", ""])
    start, name = chance.choice([100, 200, 300]), f"run {number % 7}"
    run_id = await new_run(
        world.client,
        world.experiment_id,
        metrics={key: "NaN" if math.isnan(value) else value for key, value in metrics.items()},
        params=params,
        tags=tags,
        start_time=start,
        name=name,
    )
    status, end = chance.choice(STATUSES), chance.choice([None, 400, 500])
    change = {"run_id": run_id, "status": status}
    await world.client.post("runs/update", change if end is None else {**change, "end_time": end})
    datasets = [chance.choice(["train", "test"])] if chance.random() < 0.5 else []
    inputs = [await a_dataset(world, run_id, name) for name in datasets]
    uri = f"mlflow-artifacts:/{world.experiment_id}/{run_id}/artifacts"
    info = RunInfo(
        *(run_id, world.experiment_id, "ada", status, start, end, "active", uri, name),
    )
    data = RunData(
        [Metric(key, value, 1, 0) for key, value in metrics.items()],
        [Param(key, value) for key, value in params.items()],
        [RunTag(key, value) for key, value in {**tags, "mlflow.runName": name}.items()],
    )
    return Run(info, data, RunInputs(inputs))


def some(chance: random.Random, keys: Sequence[str], values: Sequence[T]) -> dict[str, T]:
    """Most of the keys, each with one of the values."""
    return {key: chance.choice(values) for key in keys if chance.random() < 0.8}


async def a_dataset(world: World, run_id: str, name: str) -> DatasetInput:
    """A dataset of a run, in both worlds."""
    dataset = {"name": name, "digest": f"{name}-1", "source_type": "code", "source": "{}"}
    tags = [{"key": "mlflow.data.context", "value": f"for {name}"}]
    await world.client.post(
        "runs/log-inputs", {"run_id": run_id, "datasets": [{"tags": tags, "dataset": dataset}]}
    )
    return DatasetInput(
        Dataset(name, f"{name}-1", "code", "{}"), [InputTag("mlflow.data.context", f"for {name}")]
    )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tracking: Client) -> World:
    """Sixty runs, the same in every test run."""
    client = tracking.of(new_tenant())
    made = World(client, await new_experiment(client))
    chance = random.Random(20260101)
    for number in range(COUNT):
        made.runs.append(await a_run(made, chance, number))
    return made


async def found_ids(world: World, **search: Any) -> list[str]:
    """The ids that a search finds, in its order."""
    answer = await world.client.post(
        "runs/search", {"experiment_ids": [world.experiment_id], **search}
    )
    return [run["info"]["run_id"] for run in answer.get("runs", [])]


def expected_ids(world: World, filter_string: str, orders: list[str]) -> list[str]:
    """The ids that MLflow's own filter and sort find."""
    kept = MLFLOW.filter(world.runs, filter_string)
    return [run.info.run_id for run in MLFLOW.sort(kept, orders)]


FILTERS: Final = [
    "",
    "metrics.loss > 0.5",
    "metrics.loss >= 1",
    "metrics.loss < 0",
    "metrics.loss <= 0",
    "metrics.loss = 0",
    "metrics.loss != 0",
    "metrics.`a/b` > -2 and metrics.acc < 2",
    "params.p = '1'",
    "params.p != '1'",
    "params.p LIKE '1%'",
    "params.p LIKE 'v%_x'",
    "params.p LIKE '_'",
    "params.q ILIKE 'V%'",
    "params.q IS NULL",
    "params.q IS NOT NULL AND tags.t IS NULL",
    "tags.t = 'red'",
    "tags.t ILIKE 'red'",
    "tags.t LIKE '%e%' and tags.`u.v` != 'blue'",
    "tags.u.v = ''",
    "attributes.status = 'FINISHED'",
    "attributes.status != 'FINISHED'",
    "status LIKE 'F%'",
    "attributes.run_name = 'run 3'",
    "attributes.`Run name` LIKE 'run %'",
    "attributes.run_name ILIKE 'RUN 4'",
    "user_id = 'ada'",
    "artifact_uri LIKE 'mlflow-artifacts:%'",
    "start_time > 100",
    "start_time >= 150.5 and created < 300",
    "end_time = 400",
    "end_time != 400",
    "start_time < 99999999999999999999999",
    "dataset.name = 'train'",
    "dataset.name LIKE 't%'",
    "dataset.digest != 'train-1'",
    "dataset.context = 'for test'",
    "datasets.name IN ('train', 'other')",
    "datasets.context NOT IN ('for test')",
    "metrics.loss > 0 and params.p = '1' and tags.t = 'red' and status = 'FINISHED'",
    "metrics.none = 1",
    "params.none != 'x'",
]
ORDERS: Final = [
    [],
    ["metrics.loss"],
    ["metrics.loss DESC"],
    ["metrics.`a/b` ASC", "metrics.acc DESC"],
    ["params.p"],
    ["params.q DESC", "start_time"],
    ["tags.t", "params.p DESC", "metrics.loss"],
    ["attributes.end_time"],
    ["end_time DESC"],
    ["status", "run_name DESC"],
    ["attributes.start_time ASC"],
    ["run_id DESC"],
    ["metrics.none DESC"],
]


@pytest.mark.parametrize("filter_string", FILTERS)
async def test_a_filter_finds_the_runs_that_mlflow_finds(world: World, filter_string: str) -> None:
    assert await found_ids(world, filter=filter_string) == expected_ids(world, filter_string, [])


@pytest.mark.parametrize("orders", ORDERS, ids=str)
async def test_an_order_is_mlflows_order(world: World, orders: list[str]) -> None:
    assert await found_ids(world, order_by=orders) == expected_ids(world, "", orders)


@pytest.mark.parametrize("orders", ORDERS, ids=str)
async def test_pages_hold_every_run_once_and_in_order(world: World, orders: list[str]) -> None:
    seen: list[str] = []
    token = None
    while True:
        answer = await world.client.post(
            "runs/search",
            {
                "experiment_ids": [world.experiment_id],
                "order_by": orders,
                "max_results": 7,
                **({"page_token": token} if token else {}),
            },
        )
        seen += [run["info"]["run_id"] for run in answer["runs"]]
        token = answer.get("next_page_token")
        if token is None:
            break
    assert seen == expected_ids(world, "", orders)


async def test_run_ids_are_found_by_every_comparator(world: World) -> None:
    wanted = world.runs[3].info.run_id
    others = {run.info.run_id for run in world.runs} - {wanted}
    assert await found_ids(world, filter=f"run_id = '{wanted}'") == [wanted]
    assert await found_ids(world, filter=f"run_id IN ('{wanted}', 'nope')") == [wanted]
    assert await found_ids(world, filter=f"attributes.run_id LIKE '{wanted[:31]}_'") == [wanted]
    assert await found_ids(world, filter=f"run_id = '{wanted.upper()}'") == []
    assert set(await found_ids(world, filter=f"run_id != '{wanted}'")) == others
    assert set(await found_ids(world, filter=f"run_id NOT IN ('{wanted}')")) == others
    assert await found_ids(world, filter="run_id IN ('nope')") == []


async def test_a_page_token_is_good_for_its_query_only(world: World) -> None:
    body = {"experiment_ids": [world.experiment_id], "max_results": 2}
    token = (await world.client.post("runs/search", body))["next_page_token"]
    for other in (
        {"order_by": ["status"]},
        {"filter": "metrics.loss > 0"},
        {"run_view_type": "ALL"},
    ):
        reply = await world.client.ask(
            "POST", "/api/2.0/mlflow/runs/search", {**body, **other, "page_token": token}
        )
        assert (reply.status, b"not given by this server for this search" in reply.body) == (
            400,
            True,
        )


async def test_a_run_that_arrives_between_pages_shifts_nothing(tracking: Client) -> None:
    client = tracking.of(new_tenant())
    experiment_id = await new_experiment(client)
    old = [await new_run(client, experiment_id, start_time=n) for n in range(4)]
    body = {"experiment_ids": [experiment_id], "max_results": 2}
    first = await client.post("runs/search", body)
    await new_run(client, experiment_id, start_time=99)
    second = await client.post("runs/search", {**body, "page_token": first["next_page_token"]})
    seen = [run["info"]["run_id"] for page in (first, second) for run in page["runs"]]
    assert seen == list(reversed(old))


async def test_several_experiments_are_searched_together(tracking: Client) -> None:
    client = tracking.of(new_tenant())
    one, two, three = [await new_experiment(client) for _ in range(3)]
    first = await new_run(client, one, start_time=1)
    second = await new_run(client, two, start_time=2)
    await new_run(client, three, start_time=3)
    answer = await client.post("runs/search", {"experiment_ids": [one, two]})
    assert [run["info"]["run_id"] for run in answer["runs"]] == [second, first]


async def test_a_filter_full_of_sql_is_only_a_filter(world: World) -> None:
    for text in ("'; DROP TABLE runs; --", "x' OR '1'='1", "%' ESCAPE 'x", "\\"):
        quoted = text.replace("'", "''")
        assert await found_ids(world, filter=f"params.p = '{quoted}'") == []
        assert await found_ids(world, filter=f"params.p LIKE '{quoted}'") == []
    assert len(await found_ids(world)) == COUNT


@pytest.mark.parametrize("value", ["", "x" * 100, "x" * 101, "ä" * 50, "ä" * 51, "é" * 3000])
async def test_a_param_is_found_by_its_value_however_long(tracking: Client, value: str) -> None:
    client = tracking.of(new_tenant())
    run, _ = [await new_run(client, params={"p": held}) for held in (value, value[1:] + "y")]
    search = {"experiment_ids": ["0"], "filter": f"params.p = '{value}'"}
    answer = await client.post("runs/search", search)
    assert [found["info"]["run_id"] for found in answer["runs"]] == [run]


async def test_experiments_are_searched_by_get_as_well(tracking: Client) -> None:
    client = tracking.of(new_tenant())
    await new_experiment(client, "wanted: ä")
    await new_experiment(client, "other")
    wanted = quote("name LIKE 'wanted%'")
    answer = await client.get("experiments/search", f"max_results=5&filter={wanted}")
    assert [found["name"] for found in answer["experiments"]] == ["wanted: ä"]
