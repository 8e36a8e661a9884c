"""A version's files as web pages ask for them: found by the registry, streamed from tracking."""

import pytest

from tests.service.registry.conftest import Registry

PATH = "/model-versions/get-artifact"
ROOT = "/api/2.0/mlflow-artifacts/artifacts"


async def test_a_file_comes_from_where_the_versions_files_lie(registry: Registry) -> None:
    """A run's path, a run's place, a logged model's, and a copy's; ranges are passed on."""
    await registry.model("fraud")
    run_id, model_id = await registry.known_run(), await registry.known_model()
    in_run = f"0/{run_id}/artifacts/model"
    in_model = f"0/models/{model_id}/artifacts"
    await registry.version("fraud", source=f"runs:/{run_id}/model", run_id=run_id)
    await registry.version("fraud", source=f"mlflow-artifacts:/{in_run}", run_id=run_id)
    await registry.version("fraud", source=f"models:/{model_id}", model_id=model_id)
    await registry.version("fraud", source="models:/fraud/3")
    for version, place in (("1", in_run), ("2", in_run), ("3", in_model), ("4", in_model)):
        query = f"name=fraud&version={version}&path=data/my%20file"
        reply = await registry.ask("GET", PATH, query=query, headers=[("range", "bytes=0-9")])
        assert reply.status == 200
        assert reply.body.decode() == f"bytes=0-9 of {ROOT}/{place}/data/my%20file"


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("name=fraud&version=9&path=x", 404, "Model Version (name=fraud, version=9) not found"),
        ("name=nobody&version=1&path=x", 404, "Model Version (name=nobody, version=1) not found"),
        ("name=fraud&version=1&path=../x", 400, "Invalid path"),
        ("name=fraud&version=1&path=%252e%252e/x", 400, "Invalid path"),
        ("name=fraud&version=1&path=/etc/passwd", 400, "Invalid path"),
        ("name=fraud&version=1", 400, "Missing value for required parameter 'path'."),
        ("name=fraud&version=x&path=x", 400, "Parameter 'version' must be an integer, got 'x'."),
        ("name=greeting&version=1&path=x", 404, "A prompt's version has no files."),
    ],
)
async def test_what_is_no_file_of_a_version(
    registry: Registry, query: str, status: int, message: str
) -> None:
    """Missing versions, and paths that lead out of its files."""
    prompt = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    await registry.model("fraud")
    await registry.version("fraud")
    await registry.model("greeting", tags=prompt)
    await registry.version("greeting", source="dummy-source", tags=prompt)
    reply = await registry.ask("GET", PATH, query=query)
    assert reply.status == status
    assert message in reply.body.decode()


async def test_another_tenants_version_has_no_files(registry: Registry) -> None:
    """Its name answers as a missing one."""
    await registry.model("fraud")
    await registry.version("fraud")
    reply = await registry.another().ask("GET", PATH, query="name=fraud&version=1&path=MLmodel")
    assert reply.status == 404
