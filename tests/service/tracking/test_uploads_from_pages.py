"""Uploads as web pages make them, and the answers about URLs of a store that has none."""

import msgspec
import pytest

from tests.service.tracking.owners import new_model, new_run, objects, of_run
from tests.service.tracking.test_contents import put, read
from tests.serving import Client

UPLOAD = "/ajax-api/2.0/mlflow/upload-artifact"
LARGEST = 10 * 1024 * 1024


async def test_a_page_uploads_a_small_file(client: Client) -> None:
    run_id = await new_run(client)
    for body in (b"x", bytes(LARGEST)):
        query = f"run_uuid={run_id}&path=pages/a.txt"
        reply = await client.ask("POST", UPLOAD, query=query, raw=body)
        assert (reply.status, reply.body) == (200, b"")
        assert reply.headers["content-type"] == "application/json"
        assert await read(client, of_run(run_id, "/pages/a.txt")) == body


@pytest.mark.parametrize(
    ("query", "size", "status", "message"),
    [
        ("path=a", 1, 400, "Request must specify run_uuid."),
        ("run_uuid={run}", 1, 400, "Request must specify path."),
        ("run_uuid={run}&path=a", 0, 400, "Request must specify data."),
        ("run_uuid={run}&path=../a", 1, 400, "Invalid path"),
        ("run_uuid=nope&path=a", 1, 404, "Run with id=nope not found"),
        (
            "run_uuid={run}&path=a",
            LARGEST + 1,
            400,
            "Artifact size is too large. Max size is 10MB.",
        ),
    ],
)
@pytest.mark.parametrize("said", [True, False])
async def test_what_a_page_may_not_upload(
    client: Client, query: str, size: int, status: int, message: str, said: bool
) -> None:
    run_id = await new_run(client)
    headers = [] if said else [("transfer-encoding", "chunked")]
    reply = await client.ask(
        "POST", UPLOAD, query=query.format(run=run_id), raw=bytes(size), headers=headers
    )
    assert (reply.status, msgspec.json.decode(reply.body)["message"]) == (status, message)
    assert objects(client) == []


async def test_a_store_without_urls_says_so_as_mlflow_does(client: Client) -> None:
    run_id, model_id = await new_run(client), await new_model(client)
    await put(client, of_run(run_id, "/a"), b"1")
    info = await client.ask("GET", "/api/3.0/mlflow/server-info")
    told = msgspec.json.decode(info.body)
    assert (told["multipart_uploads_enabled"], told["multipart_downloads_enabled"]) == (True, False)
    reply = await client.ask("GET", f"/api/2.0/mlflow-artifacts/presigned/0/{run_id}/artifacts/a")
    assert (reply.status, msgspec.json.decode(reply.body)) == (
        501,
        {
            "error_code": "NOT_IMPLEMENTED",
            "message": "Multipart download is not supported for the current artifact repository",
        },
    )
    for way, body in (
        ("download", {"run_id": run_id, "path": "a"}),
        ("upload", {"run_id": run_id, "path": "a"}),
        ("upload", {"model_id": model_id, "path": "a"}),
    ):
        where = f"/api/2.0/mlflow/artifacts/presigned-{way}-url"
        reply = await client.ask("POST", where, body)
        said = msgspec.json.decode(reply.body)
        assert (reply.status, said["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert said["message"].startswith(f"Presigned {way} is not supported for ")
        assert "(artifact URI scheme: mlflow-artifacts)" in said["message"]
    for body in ({"path": "a"}, {"path": "a", "run_id": run_id, "model_id": model_id}):
        reply = await client.ask("POST", "/api/2.0/mlflow/artifacts/presigned-upload-url", body)
        assert b"Exactly one of run_id and model_id must be provided." in reply.body
    for seconds in (0, 604_801):
        reply = await client.ask(
            "POST",
            "/api/2.0/mlflow/artifacts/presigned-download-url",
            {"run_id": run_id, "path": "a", "expiration": seconds},
        )
        assert b"expiration must be between 1 and 604800 seconds" in reply.body
