"""Where versions come from: runs and logged models of the caller, known or asked for, and copies."""

from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from libs.common.contracts.tracking import (
    LOGGED_MODELS,
    RUNS,
    LoggedModelCreated,
    LoggedModelDeleted,
    RunCreated,
)
from tests.service.registry.conftest import Registry
from tests.waiting import eventually

CREATE = "model-versions/create"


@pytest.fixture(autouse=True)
def neighbours_as_they_were(registry: Registry) -> Iterator[None]:
    """Auth and tracking answer again after each test."""
    yield
    registry.tracking.away = False
    registry.auth.answer = 200


async def where(registry: Registry, name: str, version: str) -> str:
    """The answer to where the files of a version lie."""
    path = "model-versions/get-download-uri"
    found = await registry.get(path, f"name={name}&version={version}")
    return str(found["artifact_uri"])


async def test_a_version_made_from_a_logged_model(registry: Registry) -> None:
    """As `log_model(registered_model_name=…)` sends it: files and run are the model's."""
    await registry.model("fraud")
    run_id = await registry.known_run()
    model_id = await registry.known_model(run_id)
    made = await registry.version("fraud", source=f"models:/{model_id}", model_id=model_id)
    assert (made["source"], made["run_id"]) == (f"models:/{model_id}", run_id)
    place = f"mlflow-artifacts:/0/models/{model_id}/artifacts"
    assert await where(registry, "fraud", "1") == place
    await registry.version("fraud", source=f"{place}//sub/", model_id=model_id)
    assert await where(registry, "fraud", "2") == f"{place}/sub"
    facts = [fact for fact in await registry.facts() if fact.type.endswith("version.created")]
    assert [fact.content["model_version"]["model_id"] for fact in facts] == [model_id] * 2


async def test_a_version_made_from_a_runs_files(registry: Registry) -> None:
    """As `register_model("runs:/…")` sends it, and as a user may write it."""
    await registry.model("fraud")
    run_id = await registry.known_run()
    place = f"mlflow-artifacts:/0/{run_id}/artifacts/model"
    await registry.version("fraud", source=place, run_id=run_id)
    assert await where(registry, "fraud", "1") == place
    await registry.version("fraud", source=f"runs:/{run_id}/model", run_id=run_id)
    assert await where(registry, "fraud", "2") == f"runs:/{run_id}/model"


async def test_a_copy_has_the_origins_files_and_run(registry: Registry) -> None:
    """Named by number, stage, alias or `latest`; kept as the number it was then."""
    await registry.model("origin")
    await registry.model("copy")
    run_id = await registry.known_run()
    model_id = await registry.known_model(run_id)
    await registry.version("origin", source=f"models:/{model_id}", model_id=model_id)
    await registry.post(
        "model-versions/transition-stage",
        {"name": "origin", "version": "1", "stage": "Staging"},
    )
    await registry.post("registered-models/alias", {"name": "origin", "alias": "a", "version": "1"})
    for source in ("origin/1", "origin/staging", "origin/latest", "origin@a"):
        made = await registry.version("copy", source=f"models:/{source}")
        assert (made["source"], made["run_id"]) == ("models:/origin/1", run_id)
        place = f"mlflow-artifacts:/0/models/{model_id}/artifacts"
        assert await where(registry, "copy", made["version"]) == place
    await registry.send("DELETE", "registered-models/delete", {"name": "origin"})
    assert await where(registry, "copy", "1") == place


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("models:/origin/9", (404, "Model Version (name=origin, version=9) not found")),
        ("models:/nobody/1", (404, "Registered Model with name=nobody not found")),
        ("models:/origin@nobody", (400, "Registered model alias nobody not found.")),
        ("models:/origin/Archived", (404, "No versions of model with name 'origin' found")),
        ("models:/empty/latest", (404, "No versions of model with name 'empty' found")),
        ("models:/prompt/1", (400, "Invalid model version source: 'models:/prompt/1'. Prompt")),
    ],
)
async def test_what_cannot_be_copied(
    registry: Registry, source: str, expected: tuple[int, str]
) -> None:
    """What is not there, and prompts."""
    for name in ("origin", "empty", "copy"):
        await registry.model(name)
    await registry.model("prompt", tags=[{"key": "mlflow.prompt.is_prompt", "value": "true"}])
    await registry.version("origin")
    status, _, message = await registry.error("POST", CREATE, {"name": "copy", "source": source})
    assert (status, message[: len(expected[1])]) == expected


async def test_a_copy_must_not_claim_another_run(registry: Registry) -> None:
    """The run that is sent has to be the origin's; an empty one is a claim, too."""
    await registry.model("origin")
    origin = await registry.version("origin")
    source = "models:/origin/1"
    for run_id in ("", "0" * 32):
        body = {"name": "origin", "source": source, "run_id": run_id}
        _, code, message = await registry.error("POST", CREATE, body)
        assert code == "INVALID_PARAMETER_VALUE"
        assert message.endswith("parameters must match the referenced model version.")
    await registry.version("origin", source=source, run_id=origin["run_id"])


async def test_prompts_are_versions_without_files(registry: Registry) -> None:
    """With the client's placeholder as their source, and with no other."""
    tags = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    await registry.model("greeting", tags=tags)
    made = await registry.version("greeting", source="dummy-source", tags=tags)
    assert (made["source"], made["run_id"]) == ("dummy-source", "")
    body = {"name": "greeting", "source": "file:///etc", "tags": tags}
    assert await registry.error("POST", CREATE, body) == (
        400,
        "INVALID_PARAMETER_VALUE",
        "Invalid prompt source: 'file:///etc'. Prompt sources must use an MLflow placeholder.",
    )


async def refused(registry: Registry, **fields: Any) -> None:
    """A version that is made so is refused in MLflow's words, and none is there."""
    status, code, message = await registry.error("POST", CREATE, {"name": "fraud", **fields})
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert "request parameter must identify the resource that contains the source" in message
    assert await registry.get("model-versions/search") == {}


async def test_a_source_belongs_to_what_the_request_names(registry: Registry) -> None:
    """Not to another run or logged model of the same tenant, and not to nothing."""
    await registry.model("fraud")
    run_id, other_run = await registry.known_run(), await registry.known_run()
    model_id, other_model = await registry.known_model(), await registry.known_model()
    place = f"mlflow-artifacts:/0/{run_id}/artifacts/model"
    await refused(registry, source=place)
    await refused(registry, source=place, run_id=other_run)
    await refused(registry, source=place, model_id=model_id)
    await refused(registry, source=f"mlflow-artifacts:/0/{run_id}/artifactsx", run_id=run_id)
    await refused(registry, source=f"runs:/{run_id}/model")
    await refused(registry, source=f"runs:/{run_id}/model", run_id=other_run)
    await refused(registry, source=f"runs:/{run_id}/model", run_id=run_id, model_id=model_id)
    await refused(registry, source=f"models:/{model_id}")
    await refused(registry, source=f"models:/{model_id}", model_id=other_model)
    await refused(registry, source=f"models:/{model_id}", run_id=run_id)
    place = f"mlflow-artifacts:/0/models/{model_id}/artifacts"
    await refused(registry, source=place, model_id=other_model)
    await refused(registry, source=place, run_id=run_id)
    # What is no id never becomes part of a request to tracking.
    asked = len(registry.tracking.reads)
    for odd in ("etc", "get&x=1", "0" * 31, run_id.upper()):
        await refused(registry, source=f"runs:/{odd}/model", run_id=odd)
        await refused(registry, source=f"models:/{odd}", model_id=odd)
    assert len(registry.tracking.reads) == asked


async def test_another_tenants_run_and_model_are_like_missing_ones(registry: Registry) -> None:
    """Whether the read model knows them or tracking is asked."""
    await registry.model("fraud")
    other = registry.another()
    run_id, model_id = await other.known_run(), await other.known_model()
    await eventually(lambda: known(other, run_id))
    await refused(registry, source=f"runs:/{run_id}/model", run_id=run_id)
    await refused(registry, source=f"models:/{model_id}", model_id=model_id)
    await refused(registry, source=f"runs:/{'0' * 32}/model", run_id="0" * 32)


async def known(registry: Registry, run_id: str) -> bool:
    """Whether the read model has heard of a run."""
    database = registry.running.database
    async with database.reading(registry.tenant.number) as connection:
        found = await connection.fetchval(
            "SELECT true FROM known_runs WHERE run_id = $1 AND tenant_no = $2",
            run_id,
            registry.tenant.number,
        )
    return found is not None


async def test_a_fact_that_arrives_in_time_is_enough(registry: Registry) -> None:
    """Nobody is asked where the read model knows, or hears it within its patience."""
    await registry.model("fraud")
    run_id = await registry.known_run()
    await eventually(lambda: known(registry, run_id), within=20)
    registry.tracking.away = True
    made = await registry.version("fraud", source=f"runs:/{run_id}/m", run_id=run_id)
    assert made["run_id"] == run_id


async def test_tracking_is_asked_when_no_fact_arrives(registry: Registry) -> None:
    """As with the consumer paused or Kafka away: once, as the caller, and nothing is kept."""
    await registry.model("fraud")
    run = registry.tracking.run(registry.tenant)
    exchanges = registry.auth.exchanges
    for _ in range(2):
        await registry.version("fraud", source=f"runs:/{run.run_id}/m", run_id=run.run_id)
    assert registry.tracking.reads.count(run.run_id) == 2
    assert registry.auth.exchanges - exchanges <= 2
    assert not await known(registry, run.run_id)
    model = registry.tracking.logged_model(registry.tenant, run.run_id)
    made = await registry.version(
        "fraud", source=f"models:/{model.model_id}", model_id=model.model_id
    )
    assert made["run_id"] == run.run_id


@pytest.mark.parametrize(
    ("away", "auth_answer", "status"), [(True, 200, 503), (False, 503, 503), (False, 400, 401)]
)
async def test_a_neighbour_that_is_away_is_worth_another_try(
    registry: Registry, away: bool, auth_answer: int, status: int
) -> None:
    """503 with Retry-After, which the stock client obeys; a caller no longer accepted gets 401."""
    await registry.model("fraud")
    run = registry.tracking.run(registry.tenant)
    registry.tracking.away, registry.auth.answer = away, auth_answer
    body = {"name": "fraud", "source": f"runs:/{run.run_id}/m", "run_id": run.run_id}
    reply = await registry.ask("POST", f"/api/2.0/mlflow/{CREATE}", body)
    assert reply.status == status
    assert reply.headers.get("retry-after") == ("1" if status == 503 else None)
    registry.tracking.away, registry.auth.answer = False, 200
    assert await registry.status("POST", CREATE, body) == 200


async def test_facts_that_come_late_or_twice_change_nothing(registry: Registry) -> None:
    """A deleted logged model stays deleted when its creation is told again."""
    await registry.model("fraud")
    model_id = await registry.known_model()
    await registry.version("fraud", source=f"models:/{model_id}", model_id=model_id)
    owned = registry.tracking.owned[registry.tenant.number, model_id]["model"]["info"]
    model = registry.tracking.logged_model(registry.tenant)
    model = replace(model, model_id=model_id, artifact_uri=owned["artifact_uri"])
    for fact in (
        LoggedModelDeleted(version=3, model=model),
        LoggedModelCreated(version=1, model=model),
    ):
        await registry.tracking.tell(registry.tenant, LOGGED_MODELS, fact)
    # Facts of one key arrive in order, so a third one says that both have been applied.
    last = registry.tracking.run(registry.tenant)
    await registry.tracking.tell(registry.tenant, RUNS, RunCreated(version=1, run=last))
    body = {"name": "fraud", "source": f"models:/{model_id}", "model_id": model_id}
    await eventually(lambda: gone(registry, body), within=20)


async def gone(registry: Registry, body: dict[str, str]) -> bool:
    """Whether a version can no longer be made from this."""
    return await registry.status("POST", CREATE, body) == 400
