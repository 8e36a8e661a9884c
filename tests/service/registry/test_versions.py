"""Model versions over HTTP: numbers, fields, stages, tags, aliases and what deletion leaves."""

import asyncio

import pytest

from tests.service.registry.conftest import Registry


async def test_a_version_is_answered_as_mlflow_answers_it(registry: Registry) -> None:
    """Fields in MLflow's order; ready at once; what was not sent is empty, not absent."""
    await registry.model("fraud")
    run = registry.tracking.run(registry.tenant)
    created = await registry.version(
        "fraud",
        source=f"{run.artifact_uri}/model",
        run_id=run.run_id,
        tags=[{"key": "t", "value": "1"}],
        run_link="here",
        description="first",
    )
    times = {created["creation_timestamp"], created["last_updated_timestamp"]}
    assert created == {
        "name": "fraud",
        "version": "1",
        "creation_timestamp": created["creation_timestamp"],
        "last_updated_timestamp": created["creation_timestamp"],
        "current_stage": "None",
        "description": "first",
        "source": f"{run.artifact_uri}/model",
        "run_id": run.run_id,
        "status": "READY",
        "tags": [{"key": "t", "value": "1"}],
        "run_link": "here",
    }
    assert len(times) == 1
    assert list(created)[:5] == [
        "name",
        "version",
        "creation_timestamp",
        "last_updated_timestamp",
        "current_stage",
    ]
    assert await registry.get("model-versions/get", "name=fraud&version=1") == {
        "model_version": created
    }
    bare = await registry.version("fraud")
    assert (bare["description"], bare["run_link"]) == ("", "")
    assert "tags" not in bare
    assert "aliases" not in bare


async def test_numbers_count_up_and_are_not_used_again(registry: Registry) -> None:
    """Not even that of the newest, when it was deleted."""
    await registry.model("fraud")
    numbers = [(await registry.version("fraud"))["version"] for _ in range(3)]
    assert numbers == ["1", "2", "3"]
    await registry.send("DELETE", "model-versions/delete", {"name": "fraud", "version": "3"})
    assert (await registry.version("fraud"))["version"] == "4"


async def test_versions_made_at_once_get_different_numbers(registry: Registry) -> None:
    """A row lock deals them out."""
    await registry.model("fraud")
    made = await asyncio.gather(*(registry.version("fraud") for _ in range(12)))
    assert sorted(int(version["version"]) for version in made) == list(range(1, 13))


async def test_a_description_changes_and_goes(registry: Registry) -> None:
    """An update without one makes it absent, as MLflow's does."""
    await registry.model("fraud")
    await registry.version("fraud", description="old")
    path, key = "model-versions/update", {"name": "fraud", "version": "1"}
    changed = await registry.send("PATCH", path, {**key, "description": "new"})
    assert changed["model_version"]["description"] == "new"
    assert "description" not in (await registry.send("PATCH", path, key))["model_version"]
    emptied = await registry.send("PATCH", path, {**key, "description": ""})
    assert emptied["model_version"]["description"] == ""


async def test_tags_are_set_and_removed(registry: Registry) -> None:
    """Twice is as good as once, and what is not there is gone already."""
    await registry.model("fraud")
    await registry.version("fraud")
    key = {"name": "fraud", "version": "1", "key": "t"}
    for value in ("1", "2", "2"):
        assert await registry.post("model-versions/set-tag", {**key, "value": value}) == {}
    found = await registry.get("model-versions/get", "name=fraud&version=1")
    assert found["model_version"]["tags"] == [{"key": "t", "value": "2"}]
    for _ in range(2):
        assert await registry.send("DELETE", "model-versions/delete-tag", key) == {}
    found = await registry.get("model-versions/get", "name=fraud&version=1")
    assert "tags" not in found["model_version"]


async def test_an_alias_points_at_one_version(registry: Registry) -> None:
    """It moves, it is shown, and it goes with its version."""
    await registry.model("fraud")
    for _ in range(2):
        await registry.version("fraud")
    for alias, version in (("champion", "1"), ("best", "1"), ("champion", "2")):
        body = {"name": "fraud", "alias": alias, "version": version}
        assert await registry.post("registered-models/alias", body) == {}
    found = await registry.get("registered-models/alias", "name=fraud&alias=champion")
    assert (found["model_version"]["version"], found["model_version"]["aliases"]) == (
        "2",
        ["champion"],
    )
    model = await registry.get("registered-models/get", "name=fraud")
    assert model["registered_model"]["aliases"] == [
        {"alias": "best", "version": "1"},
        {"alias": "champion", "version": "2"},
    ]
    await registry.send("DELETE", "model-versions/delete", {"name": "fraud", "version": "2"})
    assert await registry.error(
        "GET", "registered-models/alias", query="name=fraud&alias=champion"
    ) == (400, "INVALID_PARAMETER_VALUE", "Registered model alias champion not found.")
    for _ in range(2):
        body = {"name": "fraud", "alias": "best"}
        assert await registry.send("DELETE", "registered-models/alias", body) == {}
    model = await registry.get("registered-models/get", "name=fraud")
    assert "aliases" not in model["registered_model"]


async def test_latest_is_the_newest_version_of_all_stages(registry: Registry) -> None:
    """In any case of letters, without having been set; reserved for that."""
    await registry.model("fraud")
    assert await registry.error(
        "GET", "registered-models/alias", query="name=fraud&alias=latest"
    ) == (404, "RESOURCE_DOES_NOT_EXIST", "Latest version not found for model fraud.")
    await registry.version("fraud")
    await registry.version("fraud")
    await registry.post(
        "model-versions/transition-stage",
        {"name": "fraud", "version": "1", "stage": "Production"},
    )
    found = await registry.get("registered-models/alias", "name=fraud&alias=LATEST")
    assert found["model_version"]["version"] == "2"
    body = {"name": "fraud", "alias": "latest", "version": "1"}
    assert await registry.status("POST", "registered-models/alias", body) == 400


@pytest.mark.parametrize("archive", [True, False])
async def test_a_stage_is_taken_over_or_shared(registry: Registry, archive: bool) -> None:
    """The others are archived only where it is asked for, and only those of this stage."""
    await registry.model("fraud")
    path = "model-versions/transition-stage"
    for number, stage in (("1", "Production"), ("2", "Staging"), ("3", "None")):
        await registry.version("fraud")
        await registry.post(path, {"name": "fraud", "version": number, "stage": stage})
    moved = await registry.post(
        path,
        {
            "name": "fraud",
            "version": "3",
            "stage": "production",
            "archive_existing_versions": archive,
        },
    )
    assert moved["model_version"]["current_stage"] == "Production"
    stages = []
    for number in "123":
        found = await registry.get("model-versions/get", f"name=fraud&version={number}")
        stages.append(found["model_version"]["current_stage"])
    assert stages == ["Archived" if archive else "Production", "Staging", "Production"]


async def test_archiving_is_refused_for_stages_nobody_serves_from(registry: Registry) -> None:
    """And nothing has moved then."""
    await registry.model("fraud")
    await registry.version("fraud")
    body = {"name": "fraud", "version": "1", "stage": "Archived", "archive_existing_versions": True}
    status, code, message = await registry.error("POST", "model-versions/transition-stage", body)
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert message.endswith(
        "'Archived' is not an Active stage. Valid stages are ['Staging', 'Production']"
    )
    found = await registry.get("model-versions/get", "name=fraud&version=1")
    assert found["model_version"]["current_stage"] == "None"


async def test_one_version_holds_a_stage_that_many_take_over_at_once(registry: Registry) -> None:
    """Takeovers are atomic: whoever comes last stands there alone."""
    await registry.model("fraud")
    for _ in range(6):
        await registry.version("fraud")
    await asyncio.gather(
        *(
            registry.post(
                "model-versions/transition-stage",
                {
                    "name": "fraud",
                    "version": str(number),
                    "stage": "Production",
                    "archive_existing_versions": True,
                },
            )
            for number in range(1, 7)
        )
    )
    found = await registry.get("model-versions/search", "filter=name%3D%27fraud%27")
    stages = [version["current_stage"] for version in found["model_versions"]]
    assert sorted(stages) == ["Archived"] * 5 + ["Production"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "model-versions/set-tag", {"key": "k", "value": "v"}),
        ("DELETE", "model-versions/delete-tag", {"key": "k"}),
        ("PATCH", "model-versions/update", {"description": "x"}),
        ("POST", "model-versions/transition-stage", {"stage": "Staging"}),
        ("DELETE", "model-versions/delete", {}),
        ("POST", "registered-models/alias", {"alias": "a"}),
    ],
)
@pytest.mark.parametrize("name", ["fraud", "nobody"])
async def test_a_missing_version_is_told_so(
    registry: Registry, method: str, path: str, body: dict[str, str], name: str
) -> None:
    """The same words, whether its model is there or not."""
    await registry.model("fraud")
    assert await registry.error(method, path, {"name": name, "version": "07", **body}) == (
        404,
        "RESOURCE_DOES_NOT_EXIST",
        f"Model Version (name={name}, version=7) not found",
    )
