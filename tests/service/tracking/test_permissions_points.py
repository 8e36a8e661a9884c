"""A logged model shows, and is found by, only points of runs that the caller may read."""

from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from libs.common.contracts.auth import AccessRule
from tests.service.tracking.making import new_experiment, new_run
from tests.service.tracking.people import Person, allow, deny, person
from tests.serving import Client, new_tenant

READING = ("experiment.read", "run.read", "logged-model.read")
SEES_OPEN = allow("open", *READING)


@dataclass
class World:
    """Two models in `open`; runs in `open` and in `hidden` logged points about them."""

    client: Client
    experiment: str
    models: list[str]

    def reader(self, *rules: AccessRule) -> Person:
        """Somebody without a role."""
        return person(self.client, "", *rules)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tracking: Client) -> World:
    """The newer model is the better one by what `open` says, the older one by what `hidden` says."""
    client = tracking.of(new_tenant())
    experiment = await new_experiment(client, "open")
    runs = {
        "open": await new_run(client, experiment),
        "hidden": await new_run(client, await new_experiment(client, "hidden")),
    }
    models = []
    for number in range(2):
        made = await client.post(
            "logged-models", {"experiment_id": experiment, "name": f"m{number}"}
        )
        models.append(made["model"]["info"]["model_id"])
        for time, (place, run_id) in enumerate(runs.items()):
            await client.post(
                "runs/log-metric",
                {
                    "run_id": run_id,
                    "model_id": models[number],
                    "timestamp": time,
                    "key": "acc",
                    "value": number if place == "open" else 10 - number,
                    "dataset_name": f"{place}-data",
                    "dataset_digest": "d",
                },
            )
    return World(client, experiment, models)


def shown(model: Any) -> set[tuple[float, str]]:
    """The points of an answer by value and dataset."""
    points = model["data"].get("metrics", [])
    return {(point["value"], point["dataset_name"]) for point in points}


async def found(reader: Client, world: World, **fields: Any) -> list[str]:
    """The models that a search finds, in their order."""
    body = {"experiment_ids": [world.experiment], **fields}
    answer = await reader.post("logged-models/search", body)
    return [model["info"]["name"] for model in answer.get("models", [])]


ALL = {(0, "open-data"), (10, "hidden-data")}


@pytest.mark.parametrize(
    ("rules", "points"),
    [
        ([allow("*", *READING)], ALL),
        ([allow("open", *READING), allow("hidden", "run.read")], ALL),
        ([SEES_OPEN], {(0, "open-data")}),
        ([allow("*", *READING), deny("hidden", "run.read")], {(0, "open-data")}),
        ([allow("*", *READING), deny("hidden", "experiment.read")], {(0, "open-data")}),
        ([allow("open", "experiment.read", "logged-model.read")], set()),
    ],
)
async def test_points_of_runs_that_one_may_not_read_are_not_shown(
    world: World, rules: list[AccessRule], points: set[tuple[float, str]]
) -> None:
    reader = world.reader(*rules)
    one = await reader.get(f"logged-models/{world.models[0]}")
    body = {"experiment_ids": [world.experiment], "filter": "name = 'm0'"}
    many = await reader.post("logged-models/search", body)
    for model in (one["model"], many["models"][0]):
        assert shown(model) == points


async def test_points_of_runs_that_one_may_not_read_find_nothing(world: World) -> None:
    """Neither by a filter, nor by a dataset, with a metric or without."""
    hidden = [{"dataset_name": "hidden-data"}]
    everybody, reader = world.reader(allow("*", *READING)), world.reader(SEES_OPEN)
    for asked in (
        {"filter": "metrics.acc >= 9"},
        {"datasets": hidden},
        {"datasets": hidden, "filter": "metrics.acc > 0"},
    ):
        assert await found(everybody, world, **asked) == ["m1", "m0"]
        assert await found(reader, world, **asked) == []
    assert await found(reader, world, filter="metrics.acc = 1") == ["m1"]
    assert await found(reader, world, datasets=[{"dataset_name": "open-data"}]) == ["m1", "m0"]


async def test_points_of_runs_that_one_may_not_read_do_not_order(world: World) -> None:
    """The latest point of each model lies in `hidden`."""
    best = [{"field_name": "metrics.acc", "ascending": False}]
    assert await found(world.reader(allow("*", *READING)), world, order_by=best) == ["m0", "m1"]
    reader = world.reader(SEES_OPEN)
    assert await found(reader, world, order_by=best) == ["m1", "m0"]
    first = {"experiment_ids": [world.experiment], "order_by": best, "max_results": 1}
    answer = await reader.post("logged-models/search", first)
    token = answer["next_page_token"]
    assert await found(reader, world, order_by=best, page_token=token) == ["m0"]
