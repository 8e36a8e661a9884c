"""Logged models: made, finalized, tagged and put aside, as MLflow answers it."""

from typing import Any

import msgspec
import pytest

from tests.service.tracking.owners import NEVER, asked, model, new_model, new_run, tags
from tests.serving import Client


async def test_a_new_model_is_answered_as_mlflow_answers_it(client: Client) -> None:
    run_id = await new_run(client)
    status, answer = await asked(
        client,
        "POST",
        "",
        {
            "experiment_id": "0",
            "name": "mod",
            "model_type": "sk",
            "source_run_id": run_id,
            "params": [{"key": "b", "value": "2"}, {"key": "a", "value": "1"}],
            "tags": [{"key": "t2", "value": "x"}, {"key": "t", "value": "y"}],
        },
    )
    info = answer["model"]["info"]
    model_id, created = info["model_id"], info["creation_timestamp_ms"]
    assert status == 200
    assert answer == {
        "model": {
            "info": {
                "model_id": model_id,
                "experiment_id": "0",
                "name": "mod",
                "creation_timestamp_ms": created,
                "last_updated_timestamp_ms": created,
                "artifact_uri": f"mlflow-artifacts:/0/models/{model_id}/artifacts",
                "status": "LOGGED_MODEL_PENDING",
                "model_type": "sk",
                "source_run_id": run_id,
                "tags": [{"key": "t", "value": "y"}, {"key": "t2", "value": "x"}],
            },
            "data": {"params": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]},
        }
    }
    assert await client.get(f"logged-models/{model_id}") == answer


async def test_what_is_unset_is_answered_empty_and_a_name_is_made_up(client: Client) -> None:
    found = await model(client, await new_model(client))
    assert found["data"] == {}
    assert (found["info"]["model_type"], found["info"]["source_run_id"]) == ("", "")
    assert found["info"]["name"]
    assert "tags" not in found["info"]


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ({}, 400, "INVALID_PARAMETER_VALUE", "Missing value for required parameter 'experiment"),
        ({"experiment_id": "999"}, 404, "RESOURCE_DOES_NOT_EXIST", "No Experiment with id=999"),
        ({"experiment_id": "abc"}, 400, "INVALID_PARAMETER_VALUE", "Invalid experiment ID 'abc'"),
        ({"experiment_id": "0", "name": "a/b"}, 400, "INVALID_PARAMETER_VALUE", "Invalid model n"),
        ({"experiment_id": "0", "name": 5}, 400, "INVALID_PARAMETER_VALUE", "Invalid value 5"),
        ({"experiment_id": "0", "params": "x"}, 400, "INVALID_PARAMETER_VALUE", "Invalid value"),
        ({"experiment_id": "0", "name": "n" * 501}, 400, "INVALID_PARAMETER_VALUE", "'name' exc"),
        (
            {"experiment_id": "0", "params": [{"key": "a", "value": "1"}, {"key": "a"}]},
            400,
            "INVALID_PARAMETER_VALUE",
            "Changing param values",
        ),
        (
            {"experiment_id": "0", "tags": [{"key": "a\0", "value": "1"}]},
            400,
            "INVALID_PARAMETER_VALUE",
            "A value does not fit",
        ),
    ],
)
async def test_what_cannot_be_made(
    client: Client, body: dict[str, Any], status: int, code: str, message: str
) -> None:
    found, answer = await asked(client, "POST", "", body)
    assert (found, answer["error_code"]) == (status, code)
    assert answer["message"].startswith(message)


async def test_a_deleted_experiment_takes_no_model_and_keeps_its_own(client: Client) -> None:
    experiment_id = (await client.post("experiments/create", {"name": "e"}))["experiment_id"]
    answer = await client.post("logged-models", {"experiment_id": experiment_id})
    model_id = answer["model"]["info"]["model_id"]
    await client.post("experiments/delete", {"experiment_id": experiment_id})
    status, refused = await asked(client, "POST", "", {"experiment_id": experiment_id})
    assert (status, "must be in the 'active' state" in refused["message"]) == (400, True)
    assert (await model(client, model_id))["info"]["model_id"] == model_id
    found = await client.post("logged-models/search", {"experiment_ids": [experiment_id]})
    assert [each["info"]["model_id"] for each in found["models"]] == [model_id]


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        ("LOGGED_MODEL_READY", "LOGGED_MODEL_READY"),
        (2, "LOGGED_MODEL_READY"),
        ("2", "LOGGED_MODEL_READY"),
        (2.0, "LOGGED_MODEL_READY"),
        ("LOGGED_MODEL_UPLOAD_FAILED", "LOGGED_MODEL_UPLOAD_FAILED"),
        ("READY", "LOGGED_MODEL_STATUS_UNSPECIFIED"),
        (99, "LOGGED_MODEL_STATUS_UNSPECIFIED"),
        (10**400, "LOGGED_MODEL_STATUS_UNSPECIFIED"),
    ],
)
async def test_finalizing(client: Client, given: object, answered: str) -> None:
    model_id = await new_model(client)
    body = {"model_id": model_id, "status": given}
    raw = msgspec.json.encode(body) if given != 10**400 else str(body).replace("'", '"').encode()
    reply = await client.ask("PATCH", f"/api/2.0/mlflow/logged-models/{NEVER}", raw=raw)
    assert reply.status == 200, "the body's id counts"
    info = msgspec.json.decode(reply.body)["model"]["info"]
    assert (info["model_id"], info["status"]) == (model_id, answered)


async def test_finalizing_needs_a_model_and_a_status(client: Client) -> None:
    model_id = await new_model(client)
    for body, status in [
        ({"status": 2}, 400),
        ({"model_id": model_id}, 400),
        ({"model_id": model_id, "status": None}, 400),
        ({"model_id": "m-x", "status": 2}, 404),
        ({"model_id": NEVER, "status": 2}, 404),
        ({"model_id": model_id.upper(), "status": 2}, 404),
    ]:
        assert (await asked(client, "PATCH", f"/{model_id}", body))[0] == status, body
    info = (await model(client, model_id))["info"]
    assert info["status"] == "LOGGED_MODEL_PENDING"
    assert info["last_updated_timestamp_ms"] == info["creation_timestamp_ms"]


async def test_tags(client: Client) -> None:
    model_id = await new_model(client, tags=[{"key": "a", "value": "1"}])
    for given in (
        [{"key": "a", "value": "2"}, {"key": "b", "value": "3"}, {"key": "b", "value": "4"}],
        [],
    ):
        assert await asked(client, "PATCH", f"/{model_id}/tags", {"tags": given}) == (200, {})
    assert await tags(client, model_id) == {"a": "2", "b": "4"}
    assert await asked(client, "DELETE", f"/{model_id}/tags/a") == (200, {})
    status, answer = await asked(client, "DELETE", f"/{model_id}/tags/a")
    assert (status, answer["message"]) == (
        404,
        f"No tag with key 'a' found for model with ID '{model_id}'.",
    )
    assert await tags(client, model_id) == {"b": "4"}


async def test_params_are_added_and_keep_their_value(client: Client) -> None:
    model_id = await new_model(client, params=[{"key": "a", "value": "1"}])

    async def log(*pairs: tuple[str, str]) -> int:
        given = [{"key": key, "value": value} for key, value in pairs]
        body = {"model_id": model_id, "params": given}
        return (await asked(client, "POST", f"/{model_id}/params", body))[0]

    assert await log(("b", "2")) == 200
    assert await log(("b", "2"), ("c", "3")) == 200, "a retry does no harm"
    assert await log(("d", "4"), ("b", "5")) == 400
    assert (await asked(client, "POST", f"/{model_id}/params", {"params": []}))[0] == 400
    assert (await model(client, model_id))["data"]["params"] == [
        {"key": key, "value": value} for key, value in [("a", "1"), ("b", "2"), ("c", "3")]
    ]


async def test_a_deleted_model_is_hidden_and_may_be_deleted_again(client: Client) -> None:
    model_id = await new_model(client)
    for _ in range(2):
        assert await asked(client, "DELETE", f"/{model_id}") == (200, {})
    status, answer = await asked(client, "GET", f"/{model_id}")
    assert (status, answer["message"]) == (404, f"Logged model with ID '{model_id}' not found.")
    assert await client.post("logged-models/search", {"experiment_ids": ["0"]}) == {}
    found = await client.get(f"logged-models/{model_id}", "allow_deleted=true")
    assert found["model"]["info"]["model_id"] == model_id
    finalized = await asked(client, "PATCH", f"/{model_id}", {"model_id": model_id, "status": 2})
    assert finalized[0] == 200
    tagged = await asked(client, "PATCH", f"/{model_id}/tags", {"tags": [{"key": "a"}]})
    assert tagged[0] == 200


async def test_metrics_of_a_model(client: Client) -> None:
    run_id, model_id = await new_run(client), await new_model(client)
    first = {"key": "acc", "value": 0.5, "timestamp": 1000, "step": 1, "model_id": model_id}
    dataset = {"dataset_name": "d", "dataset_digest": "dd"}
    for point in (
        first | dataset,
        first | dataset,  # sent again by a client that lost the answer
        first | {"value": "NaN", "step": 2},
        first | {"key": "big", "value": "-Infinity"},
        {"key": "other", "value": 1, "timestamp": 1, "step": 1},
    ):
        await client.post("runs/log-metric", {"run_id": run_id, **point})
    assert (await model(client, model_id))["data"]["metrics"] == [
        {**first, **dataset, "run_id": run_id},
        {**first, "value": "NaN", "step": 2, "run_id": run_id},
        {**first, "key": "big", "value": -1.7976931348623157e308, "run_id": run_id},
    ]
    refused = await client.ask(
        "POST", "/api/2.0/mlflow/runs/log-metric", {"run_id": run_id, **first, "model_id": NEVER}
    )
    assert refused.status == 404
