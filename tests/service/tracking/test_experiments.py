"""Experiments of a tenant that is new, busy or tidying up; and what is told before login."""

import asyncio
import json

import pytest

from libs.common.http.calling import call
from tests.service.tracking.making import new_experiment, new_run
from tests.serving import Client


async def names_of(client: Client, view: str = "ACTIVE_ONLY") -> list[str]:
    """The names of a tenant's experiments, the oldest first."""
    answer = await client.post(
        "experiments/search",
        {"max_results": 100, "view_type": view, "order_by": ["experiment_id"]},
    )
    return [found["name"] for found in answer.get("experiments", [])]


async def test_many_first_requests_of_a_tenant_make_one_default(client: Client) -> None:
    runs = await asyncio.gather(*[new_run(client) for _ in range(8)])
    assert len(set(runs)) == 8
    assert await names_of(client) == ["Default"]


async def test_default_is_there_for_whoever_asks_first(client: Client) -> None:
    answer = await client.get("experiments/get-by-name", "experiment_name=Default")
    assert answer["experiment"]["experiment_id"] == "0"
    taken = await client.ask("POST", "/api/2.0/mlflow/experiments/create", {"name": "Default"})
    assert json.loads(taken.body)["error_code"] == "RESOURCE_ALREADY_EXISTS"


async def test_of_racing_makers_of_one_name_exactly_one_wins(client: Client) -> None:
    replies = await asyncio.gather(
        *[
            client.ask("POST", "/api/2.0/mlflow/experiments/create", {"name": "wanted"})
            for _ in range(8)
        ]
    )
    assert sorted(reply.status for reply in replies) == [200] + [400] * 7
    codes = {json.loads(reply.body).get("error_code") for reply in replies}
    assert codes == {None, "RESOURCE_ALREADY_EXISTS"}
    assert await names_of(client) == ["Default", "wanted"]


async def test_racing_makers_get_numbers_without_gaps(client: Client) -> None:
    made = await asyncio.gather(*[new_experiment(client, f"e{n}") for n in range(10)])
    assert sorted(int(experiment_id) for experiment_id in made) == list(range(1, 11))


async def test_a_name_in_use_cannot_be_taken_by_renaming(client: Client) -> None:
    await new_experiment(client, "taken")
    mine = await new_experiment(client, "mine")
    reply = await client.ask(
        "POST",
        "/api/2.0/mlflow/experiments/update",
        {"experiment_id": mine, "new_name": "taken"},
    )
    assert (reply.status, json.loads(reply.body)["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
    assert await names_of(client) == ["Default", "taken", "mine"]


async def test_runs_go_and_come_with_their_experiment(client: Client) -> None:
    experiment_id = await new_experiment(client)
    runs = {await new_run(client, experiment_id) for _ in range(3)}
    other = await new_run(client)
    await client.post("experiments/delete", {"experiment_id": experiment_id})
    for run_id in runs:
        answer = await client.get("runs/get", f"run_id={run_id}")
        assert answer["run"]["info"]["lifecycle_stage"] == "deleted"
    assert (await client.get("runs/get", f"run_id={other}"))["run"]["info"][
        "lifecycle_stage"
    ] == "active"
    await client.post("experiments/restore", {"experiment_id": experiment_id})
    answer = await client.post("runs/search", {"experiment_ids": [experiment_id]})
    assert {run["info"]["run_id"] for run in answer["runs"]} == runs


@pytest.mark.parametrize(
    "location", ["s3://bucket/x", "file:///data/x", "/data/x", "mlflow-artifacts:/1", "x"]
)
async def test_nobody_chooses_where_artifacts_lie(client: Client, location: str) -> None:
    reply = await client.ask(
        "POST",
        "/api/2.0/mlflow/experiments/create",
        {"name": "x", "artifact_location": location},
    )
    assert reply.status == 400
    assert b"artifact_location cannot be specified" in reply.body


async def test_an_experiment_holds_fifty_saved_views(client: Client) -> None:
    experiment_id = await new_experiment(client)

    async def save(name: str) -> int:
        body = {"experiment_id": experiment_id, "key": f"mlflow.customView.view{name}", "value": ""}
        path = "/api/2.0/mlflow/experiments/set-experiment-tag"
        return (await client.ask("POST", path, body)).status

    for number in range(50):
        assert await save(str(number)) == 200
    assert await save("one more") == 400
    assert await save("7") == 200


async def test_datasets_of_experiments_are_summed_up(client: Client) -> None:
    experiment_id = await new_experiment(client)
    dataset = {"name": "d", "digest": "1", "source_type": "code", "source": "{}"}
    tags = [{"key": "mlflow.data.context", "value": "train"}]
    for _ in range(2):
        run_id = await new_run(client, experiment_id)
        await client.post(
            "runs/log-inputs", {"run_id": run_id, "datasets": [{"dataset": dataset, "tags": tags}]}
        )
    reply = await client.ask(
        "POST",
        "/ajax-api/2.0/mlflow/experiments/search-datasets",
        {"experiment_ids": [experiment_id]},
    )
    assert json.loads(reply.body) == {
        "dataset_summaries": [
            {"experiment_id": experiment_id, "name": "d", "digest": "1", "context": "train"}
        ]
    }


async def test_anybody_may_ask_which_server_this_is(client: Client) -> None:
    for prefix in ("/api", "/ajax-api"):
        reply = await call(client.app, "GET", f"{prefix}/3.0/mlflow/server-info")
        told = json.loads(reply.body)
        assert (reply.status, told["store_type"]) == (200, "SqlStore")
        assert told["workspaces_enabled"]
        assert told["multipart_uploads_enabled"]
        assert not told["multipart_downloads_enabled"]
        assert not told["presigned_upload_run_id_supported"]
    reply = await call(client.app, "GET", "/version")
    assert (reply.status, reply.body) == (200, b"3.17.2")


async def test_nobody_else_is_answered_without_a_principal(client: Client) -> None:
    for method, path in (
        ("POST", "runs/search"),
        ("GET", "runs/get"),
        ("POST", "runs/log-metric"),
        ("GET", "experiments/search"),
    ):
        reply = await call(client.app, method, f"/api/2.0/mlflow/{path}")
        assert (reply.status, json.loads(reply.body)["error_code"]) == (401, "UNAUTHENTICATED")
