"""Searches and lists show just what the caller may see, in full pages and with right tokens."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from libs.common.contracts.auth import AccessRule
from services.tracking.queries import narrowing
from tests.service.tracking.making import new_experiment, new_run
from tests.service.tracking.people import Person, allow, deny, person
from tests.serving import Client, new_tenant

MINE, THEIRS = 12, 9
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
READING = ("experiment.read", "run.read", "logged-model.read", "artifact.read")


@dataclass
class World:
    """Experiments of two teams, made in turns, each with a run, a logged model and a file."""

    client: Client
    experiments: dict[str, str]
    runs: dict[str, str]

    def ids(self, prefix: str) -> list[str]:
        """The experiments whose names begin so, the newest first."""
        return [number for name, number in self.experiments.items() if name.startswith(prefix)][
            ::-1
        ]

    def reader(self, *rules: AccessRule) -> Person:
        """Somebody who reads what `rules` say, by default what is team-a's."""
        return person(self.client, "", *(rules or [allow("team-a/*", *READING)]))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tracking: Client) -> World:
    """The experiments, of which team-a has more."""
    client = tracking.of(new_tenant())
    found = World(client, {}, {})
    for number in range(max(MINE, THEIRS)):
        for team, count in (("team-a", MINE), ("team-b", THEIRS)):
            if number < count:
                await _add(found, f"{team}/{number:02}")
    return found


async def _add(world: World, name: str) -> None:
    client = world.client
    number = world.experiments[name] = await new_experiment(client, name)
    run_id = world.runs[name] = await new_run(
        client, number, metrics={"m": 1}, start_time=len(world.runs), name=name
    )
    await client.post("logged-models", {"experiment_id": number, "name": name.replace("/", "-")})
    dataset = {"name": name, "digest": "1", "source_type": "code", "source": "{}"}
    await client.post("runs/log-inputs", {"run_id": run_id, "datasets": [{"dataset": dataset}]})
    path = f"{ARTIFACTS}/{number}/{run_id}/artifacts/file"
    assert (await client.ask("PUT", path, raw=b"x")).status == 200


async def pages(reader: Client, path: str, body: dict[str, Any], key: str) -> list[list[Any]]:
    """All pages of a search, one list of results each."""
    found, token = [], None
    while True:
        answer = await reader.post(path, {**body, **({"page_token": token} if token else {})})
        found.append(answer.get(key, []))
        token = answer.get("next_page_token")
        if token is None:
            return found


async def test_pages_of_experiments_are_full_and_hold_what_one_may_see(world: World) -> None:
    found = await pages(world.reader(), "experiments/search", {"max_results": 5}, "experiments")
    assert [len(page) for page in found] == [5, 5, 2]
    shown = [each["experiment_id"] for page in found for each in page]
    assert shown == world.ids("team-a/")


async def test_pages_of_runs_are_full_and_hold_what_one_may_see(world: World) -> None:
    body = {"experiment_ids": ["0", "999", *world.experiments.values()], "max_results": 5}
    found = await pages(world.reader(), "runs/search", body, "runs")
    assert [len(page) for page in found] == [5, 5, 2]
    shown = [each["info"]["experiment_id"] for page in found for each in page]
    assert shown == world.ids("team-a/")


async def test_pages_of_logged_models_are_full_and_hold_what_one_may_see(world: World) -> None:
    body = {"experiment_ids": list(world.experiments.values()), "max_results": 5}
    found = await pages(world.reader(), "logged-models/search", body, "models")
    assert [len(page) for page in found] == [5, 5, 2]
    shown = [each["info"]["experiment_id"] for page in found for each in page]
    assert shown == world.ids("team-a/")


async def test_a_page_token_goes_on_when_a_grant_came_meanwhile(world: World) -> None:
    reader = world.reader()
    body = {"experiment_ids": list(world.experiments.values()), "max_results": 5}
    first = await reader.post("runs/search", body)
    reader.may("", allow("*", *READING), version=2)
    world.client.running.authority.heard(world.client.tenant.number, reader.subject, 2)
    second = await reader.post("runs/search", {**body, "page_token": first["next_page_token"]})
    # From where the first page ended, everybody's.
    assert {run["info"]["run_name"][:6] for run in second["runs"]} == {"team-a", "team-b"}


@pytest.mark.parametrize(
    ("rules", "shown"),
    [
        ([allow("team-a/03", *READING)], ["team-a/03"]),
        ([allow("team-?/*", *READING)], []),
        ([allow("team_a/*", *READING)], []),
        ([allow("%", *READING)], []),
        (
            [allow("team-b/0*", *READING), deny("team-b/00", *READING)],
            [f"team-b/{number:02}" for number in range(1, 9)],
        ),
        ([allow("team-a/1*", *READING), allow("team-a/*", *READING), deny("*", *READING)], []),
        ([allow("team-a/1*", *READING), deny("team-b/*", *READING)], ["team-a/10", "team-a/11"]),
        ([allow("*", *READING), deny("team-*", *READING)], ["Default"]),
    ],
)
@pytest.mark.parametrize("led", [True, False], ids=["by names", "by order"])
async def test_every_search_shows_the_same(
    world: World,
    rules: list[AccessRule],
    shown: list[str],
    led: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not led:
        monkeypatch.setattr(narrowing, "_COUNTED", -1)
    reader = world.reader(*rules)
    every = {"max_results": 100}
    ids = {"experiment_ids": list(world.experiments.values())}
    found = await reader.post("experiments/search", every)
    assert sorted(each["name"] for each in found.get("experiments", [])) == shown
    with_runs = [name for name in shown if name in world.runs]
    runs = await reader.post("runs/search", {**every, **ids})
    assert sorted(run["info"]["run_name"] for run in runs.get("runs", [])) == with_runs
    models = await reader.post("logged-models/search", {**every, **ids})
    names = sorted(each["info"]["name"] for each in models.get("models", []))
    assert names == [name.replace("/", "-") for name in with_runs]
    # The uppermost folders of the artifact store are the experiments.
    listed = await reader.ask("GET", ARTIFACTS)
    numbers = {file["path"] for file in json.loads(listed.body).get("files", [])}
    assert numbers == {world.experiments[name] for name in with_runs}


async def test_datasets_are_those_of_runs_one_may_see(world: World) -> None:
    names = ["team-a/00", "team-b/00", "team-a/01"]
    body = {"experiment_ids": [world.experiments[name] for name in names]}
    path = "/ajax-api/2.0/mlflow/experiments/search-datasets"
    reply = await world.reader().ask("POST", path, body)
    shown = [each["name"] for each in json.loads(reply.body)["dataset_summaries"]]
    assert shown == ["team-a/00", "team-a/01"]


@pytest.mark.parametrize("kind", ["", "-interval"])
async def test_histories_of_several_runs_are_of_those_one_may_see(world: World, kind: str) -> None:
    names = ["team-b/00", "team-a/00", "team-b/01", "team-a/01"]
    field = "run_ids" if kind else "run_id"
    query = urlencode({field: [world.runs[name] for name in names], "metric_key": "m"}, doseq=True)
    path = f"/ajax-api/2.0/mlflow/metrics/get-history-bulk{kind}"
    reply = await world.reader().ask("GET", path, query=query)
    shown = {point["run_id"] for point in json.loads(reply.body)["metrics"]}
    assert shown == {world.runs["team-a/00"], world.runs["team-a/01"]}


async def test_what_one_owns_is_found_without_a_grant(world: World) -> None:
    maker = person(world.client, "", allow("own/*", "experiment.create"))
    number = await new_experiment(maker, "own/x")
    await new_run(maker, number, name="own/x")
    found = await maker.post("experiments/search", {"max_results": 100})
    assert [each["name"] for each in found["experiments"]] == ["own/x"]
    body = {"experiment_ids": [*world.experiments.values(), number]}
    runs = await maker.post("runs/search", body)
    assert [run["info"]["run_name"] for run in runs["runs"]] == ["own/x"]
    await world.client.post("experiments/delete", {"experiment_id": number})


async def test_a_credential_for_some_experiments_finds_just_those(world: World) -> None:
    member = person(world.client, "owner", scope="experiment:team-a/1*")
    found = await member.post("experiments/search", {"max_results": 100})
    assert [each["name"] for each in found["experiments"]] == ["team-a/11", "team-a/10"]


async def test_what_is_new_is_found_though_it_was_counted_before(world: World) -> None:
    reader = world.reader(allow("late/*", *READING))
    assert await reader.post("experiments/search", {"max_results": 10}) == {}
    number = await new_experiment(world.client, "late/x")
    found = await reader.post("experiments/search", {"max_results": 10})
    assert [each["name"] for each in found["experiments"]] == ["late/x"]
    await world.client.post("experiments/delete", {"experiment_id": number})
