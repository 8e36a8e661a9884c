"""Registered models over HTTP, as the stock client asks and as `mlflow server` answers."""

import pytest

from tests.service.registry.conftest import Registry


async def test_a_model_is_answered_as_mlflow_answers_it(registry: Registry) -> None:
    """Fields in MLflow's order, unset and empty ones left out."""
    tags = [{"key": "zz", "value": "1"}, {"key": "aa", "value": ""}, {"key": "zz", "value": "3"}]
    created = await registry.model("fraud", description="finds it", tags=tags)
    assert list(created) == [
        "name",
        "creation_timestamp",
        "last_updated_timestamp",
        "description",
        "tags",
    ]
    assert created["tags"] == [{"key": "aa", "value": ""}, {"key": "zz", "value": "3"}]
    assert created["creation_timestamp"] == created["last_updated_timestamp"]
    found = await registry.get("registered-models/get", "name=fraud")
    assert found == {"registered_model": created}
    assert list(await registry.model("plain", description="")) == [
        "name",
        "creation_timestamp",
        "last_updated_timestamp",
    ]


async def test_both_prefixes_answer(registry: Registry) -> None:
    """The client's and the web interface's."""
    await registry.model("fraud")
    for prefix in ("/api", "/ajax-api"):
        reply = await registry.ask(
            "GET", f"{prefix}/2.0/mlflow/registered-models/get", query="name=fraud"
        )
        assert reply.status == 200


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (False, False, "Registered Model (name=x) already exists."),
        (True, True, "Prompt (name=x) already exists."),
        (
            True,
            False,
            (
                "Tried to create a registered model with name 'x', but the name is already taken by a"
                " prompt. MLflow does not allow creating a model and a prompt with the same name."
            ),
        ),
        (
            False,
            True,
            (
                "Tried to create a prompt with name 'x', but the name is already taken by a registered"
                " model. MLflow does not allow creating a model and a prompt with the same name."
            ),
        ),
    ],
)
async def test_a_name_is_taken_once(
    registry: Registry, first: bool, second: bool, message: str
) -> None:
    """Models and prompts share the names."""
    prompt = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    await registry.model("x", tags=prompt if first else [])
    body = {"name": "x", "tags": prompt if second else []}
    assert await registry.error("POST", "registered-models/create", body) == (
        400,
        "RESOURCE_ALREADY_EXISTS",
        message,
    )


async def test_a_description_changes_and_goes(registry: Registry) -> None:
    """An update without one takes it away, as MLflow's does."""
    before = await registry.model("fraud", description="old")
    body = {"name": "fraud", "description": "new"}
    changed = (await registry.send("PATCH", "registered-models/update", body))["registered_model"]
    assert changed["description"] == "new"
    assert changed["last_updated_timestamp"] >= before["last_updated_timestamp"]
    gone = await registry.send("PATCH", "registered-models/update", {"name": "fraud"})
    assert "description" not in gone["registered_model"]


async def test_tags_are_set_and_removed(registry: Registry) -> None:
    """Twice is as good as once, and what is not there is gone already."""
    await registry.model("fraud")
    for value in ("1", "2", "2"):
        body = {"name": "fraud", "key": "team", "value": value}
        assert await registry.post("registered-models/set-tag", body) == {}
    found = await registry.get("registered-models/get", "name=fraud")
    assert found["registered_model"]["tags"] == [{"key": "team", "value": "2"}]
    for _ in range(2):
        body = {"name": "fraud", "key": "team"}
        assert await registry.send("DELETE", "registered-models/delete-tag", body) == {}
    found = await registry.get("registered-models/get", "name=fraud")
    assert "tags" not in found["registered_model"]


async def test_a_renamed_model_takes_all_with_it(registry: Registry) -> None:
    """Versions, their tags, aliases and stages; the old name is free."""
    await registry.model("old", tags=[{"key": "k", "value": "v"}])
    await registry.version("old", tags=[{"key": "t", "value": "1"}])
    await registry.post(
        "registered-models/alias", {"name": "old", "alias": "champion", "version": "1"}
    )
    renamed = await registry.post("registered-models/rename", {"name": "old", "new_name": "new"})
    model = renamed["registered_model"]
    assert model["name"] == "new"
    assert model["latest_versions"][0]["name"] == "new"
    assert model["aliases"] == [{"alias": "champion", "version": "1"}]
    found = await registry.get("registered-models/alias", "name=new&alias=champion")
    assert found["model_version"]["tags"] == [{"key": "t", "value": "1"}]
    assert await registry.status("GET", "registered-models/get", query="name=old") == 404
    assert "latest_versions" not in await registry.model("old")


async def test_a_model_is_not_renamed_onto_another(registry: Registry) -> None:
    """Both stay as they were; to its own name it may be renamed."""
    await registry.model("a")
    await registry.model("b")
    body = {"name": "a", "new_name": "b"}
    assert await registry.error("POST", "registered-models/rename", body) == (
        400,
        "RESOURCE_ALREADY_EXISTS",
        "Registered Model (name=b) already exists.",
    )
    await registry.post("registered-models/rename", {"name": "a", "new_name": "a"})
    assert await registry.status("GET", "registered-models/get", query="name=a") == 200


async def test_a_deleted_model_is_gone_with_its_versions(registry: Registry) -> None:
    """And a new one of the same name starts from nothing, at version 1."""
    await registry.model("fraud", tags=[{"key": "k", "value": "v"}])
    await registry.version("fraud")
    await registry.version("fraud")
    assert await registry.send("DELETE", "registered-models/delete", {"name": "fraud"}) == {}
    for path, query in (
        ("registered-models/get", "name=fraud"),
        ("model-versions/get", "name=fraud&version=1"),
        ("model-versions/get-download-uri", "name=fraud&version=1"),
    ):
        assert await registry.status("GET", path, query=query) == 404
    again = await registry.error("DELETE", "registered-models/delete", {"name": "fraud"})
    assert again == (
        404,
        "RESOURCE_DOES_NOT_EXIST",
        "Registered Model with name=fraud not found",
    )
    assert "tags" not in await registry.model("fraud")
    assert (await registry.version("fraud"))["version"] == "1"


async def test_latest_versions_by_stage(registry: Registry) -> None:
    """The newest of each, in both methods, with aliases; stages in any case."""
    await registry.model("fraud")
    assert await registry.get("registered-models/get-latest-versions", "name=fraud") == {}
    for stage in ("None", "Staging", "Staging", "Production"):
        version = (await registry.version("fraud"))["version"]
        await registry.post(
            "model-versions/transition-stage",
            {"name": "fraud", "version": version, "stage": stage},
        )
    await registry.post("registered-models/alias", {"name": "fraud", "alias": "a", "version": "3"})
    path = "registered-models/get-latest-versions"
    every = await registry.post(path, {"name": "fraud"})
    assert [(v["version"], v["current_stage"]) for v in every["model_versions"]] == [
        ("1", "None"),
        ("3", "Staging"),
        ("4", "Production"),
    ]
    assert every == await registry.get(path, "name=fraud")
    one = await registry.get(path, "name=fraud&stages=staging&stages=archived")
    assert [(v["version"], v["aliases"]) for v in one["model_versions"]] == [("3", ["a"])]
    model = (await registry.get("registered-models/get", "name=fraud"))["registered_model"]
    assert [v["version"] for v in model["latest_versions"]] == ["1", "3", "4"]
    assert await registry.error("POST", path, {"name": "fraud", "stages": ["prod"]}) == (
        400,
        "INVALID_PARAMETER_VALUE",
        (
            "Invalid Model Version stage: prod. Value must be one of None, Staging, Production,"
            " Archived."
        ),
    )
