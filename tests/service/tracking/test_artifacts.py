"""Artifacts over HTTP: stored, listed, read and removed, for their own tenant only."""

from typing import Any

import msgspec
import pytest

from libs.common.http.calling import Reply
from tests.service.tracking.owners import new_model, new_run, of_model, of_run, stored
from tests.service.tracking.wire import ARTIFACTS
from tests.serving import Client, new_tenant


def content(reply: Reply) -> Any:
    return msgspec.json.decode(reply.body)


async def test_a_file_is_stored_and_read(client: Client) -> None:
    run_id = await new_run(client)
    put = await client.ask("PUT", of_run(run_id, "/model/a b.bin"), raw=b"hello")
    assert (put.status, put.body) == (200, b"")
    got = await client.ask("GET", of_run(run_id, "/model/a b.bin"))
    assert (got.status, got.body) == (200, b"hello")
    replaced = await client.ask("PUT", of_run(run_id, "/model/a b.bin"), raw=b"")
    assert replaced.status == 200
    assert (await client.ask("GET", of_run(run_id, "/model/a b.bin"))).body == b""


async def test_files_of_a_logged_model(client: Client) -> None:
    model_id = await new_model(client)
    assert (await client.ask("PUT", of_model(model_id, "/MLmodel"), raw=b"x: 1")).status == 200
    assert (await client.ask("PUT", of_model(model_id, "/d/x"), raw=b"12345")).status == 200
    root = f"mlflow-artifacts:/0/models/{model_id}/artifacts"
    folder = f"logged-models/{model_id}/artifacts/directories"
    assert await client.get(folder) == {
        "root_uri": root,
        "files": [
            {"path": "MLmodel", "is_dir": False, "file_size": 4},
            {"path": "d", "is_dir": True},
        ],
    }
    assert await client.get(folder, "artifact_directory_path=d") == {
        "root_uri": root,
        "files": [{"path": "d/x", "is_dir": False, "file_size": 5}],
    }
    assert await client.get(folder, "artifact_directory_path=nope") == {"root_uri": root}
    page = f"/ajax-api/2.0/mlflow/logged-models/{model_id}/artifacts/files"
    assert (await client.ask("GET", page, query="artifact_file_path=d/x")).body == b"12345"
    for query, status in [("", 400), ("artifact_file_path=nope", 404)]:
        assert (await client.ask("GET", page, query=query)).status == status
    await client.ask("DELETE", f"/api/2.0/mlflow/logged-models/{model_id}")
    assert (await client.ask("GET", f"/api/2.0/mlflow/{folder}")).status == 404
    assert (await client.ask("PUT", of_model(model_id, "/late"), raw=b"x")).status == 404


async def test_a_file_goes_out_as_a_harmless_attachment(client: Client) -> None:
    run_id = await new_run(client)
    await client.ask("PUT", of_run(run_id, "/page.html"), raw=b"<script>alert(1)</script>")
    got = await client.ask("GET", of_run(run_id, "/page.html"))
    assert got.headers["content-disposition"] == "attachment; filename=page.html"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"].startswith("sandbox")
    page = await client.ask("GET", "/get-artifact", query=f"run_id={run_id}&path=page.html")
    assert page.body == got.body
    assert page.headers["content-disposition"] == "attachment; filename=page.html"
    assert page.headers["content-security-policy"].startswith("sandbox")


async def test_head_tells_the_size_and_sends_nothing(client: Client) -> None:
    run_id = await new_run(client)
    await client.ask("PUT", of_run(run_id, "/a"), raw=b"hello")
    got = await client.ask("HEAD", of_run(run_id, "/a"))
    assert (got.status, got.body, got.headers["content-length"]) == (200, b"", "5")


async def test_ranges(client: Client) -> None:
    run_id = await new_run(client)
    await client.ask("PUT", of_run(run_id, "/a"), raw=b"hello")
    for given, status, body in [
        ("bytes=1-2", 206, b"el"),
        ("bytes=-2", 206, b"lo"),
        ("bytes=3-", 206, b"lo"),
        ("bytes=9-", 416, b""),
        ("bytes=0-0,2-3", 200, b"hello"),
    ]:
        got = await client.ask("GET", of_run(run_id, "/a"), headers=[("range", given)])
        assert (got.status, got.body) == (status, body), given


async def test_listings(client: Client) -> None:
    run_id = await new_run(client)
    for path in ("/a.txt", "/model/MLmodel", "/model/data/x"):
        await client.ask("PUT", of_run(run_id, path), raw=b"12345")
    uri = f"mlflow-artifacts:/0/{run_id}/artifacts"
    file = {"is_dir": False, "file_size": 5}
    assert await client.get("artifacts/list", f"run_id={run_id}") == {
        "root_uri": uri,
        "files": [{"path": "a.txt", **file}, {"path": "model", "is_dir": True}],
    }
    expected = {
        "root_uri": uri,
        "files": [{"path": "model/MLmodel", **file}, {"path": "model/data", "is_dir": True}],
    }
    for query in (f"run_id={run_id}&path=model", f"run_uuid={run_id}&path=model/"):
        assert await client.get("artifacts/list", query) == expected
    for path in ("a.txt", "nope"):
        assert await client.get("artifacts/list", f"run_id={run_id}&path={path}") == {
            "root_uri": uri
        }
    by_path = await client.ask("GET", ARTIFACTS, query=f"path=0/{run_id}/artifacts/model")
    assert content(by_path) == {
        "files": [{"path": "MLmodel", **file}, {"path": "data", "is_dir": True}]
    }
    assert content(await client.ask("GET", ARTIFACTS)) == {"files": [{"path": "0", "is_dir": True}]}
    assert content(await client.ask("GET", ARTIFACTS, query="path=7/nope")) == {}


async def test_what_is_removed_is_gone_and_removing_nothing_is_no_error(client: Client) -> None:
    run_id = await new_run(client)
    for path in ("/a", "/d/x", "/d/e/y"):
        await client.ask("PUT", of_run(run_id, path), raw=b"1")
    for path in ("/d", "/nope"):
        gone = await client.ask("DELETE", of_run(run_id, path))
        assert (gone.status, gone.body) == (200, b"{}")
    assert await stored(client) == [f"0/{run_id}/artifacts/a"]
    assert (await client.ask("DELETE", of_run(run_id))).status == 200
    assert await stored(client) == []


async def test_answers_about_files_that_are_not_there(client: Client) -> None:
    run_id = await new_run(client)
    await client.ask("PUT", of_run(run_id, "/d/x"), raw=b"1")
    place = f"0/{run_id}/artifacts"
    absent = await client.ask("GET", of_run(run_id, "/nope"))
    assert absent.status == 404
    assert content(absent) == {
        "error_code": "RESOURCE_DOES_NOT_EXIST",
        "message": f"No such artifact: '{place}/nope'",
    }
    folder = await client.ask("GET", of_run(run_id, "/d"))
    assert folder.status == 400
    assert content(folder)["message"] == (
        f"Artifact path refers to a directory, not a file: '{place}/d'"
    )
    unknown = await client.ask("GET", "/api/2.0/mlflow/artifacts/list", query="run_id=nope")
    assert (unknown.status, content(unknown)["message"]) == (404, "Run with id=nope not found")
    unset = await client.ask("GET", "/api/2.0/mlflow/artifacts/list")
    assert (unset.status, content(unset)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


async def test_another_tenants_files_read_as_missing_ones(client: Client) -> None:
    run_id, model_id = await new_run(client), await new_model(client)
    await client.ask("PUT", of_run(run_id, "/a"), raw=b"secret")
    await client.ask("PUT", of_model(model_id, "/a"), raw=b"secret")
    other = client.of(new_tenant())
    never = ("0" * 32, f"m-{'0' * 32}")

    async def seen(run: str, model: str) -> list[tuple[int, bytes]]:
        replies = [
            await other.ask("GET", of_run(run, "/a")),
            await other.ask("HEAD", of_run(run, "/a")),
            await other.ask("GET", of_model(model, "/a")),
            await other.ask("PUT", of_run(run, "/a"), raw=b"mine"),
            await other.ask("PUT", of_model(model, "/a"), raw=b"mine"),
            await other.ask("DELETE", of_run(run, "/a")),
            await other.ask("DELETE", of_model(model)),
            await other.ask("GET", ARTIFACTS, query=f"path=0/{run}/artifacts"),
            await other.ask("GET", "/api/2.0/mlflow/artifacts/list", query=f"run_id={run}"),
            await other.ask("GET", "/get-artifact", query=f"run_id={run}&path=a"),
            await other.ask("GET", f"/api/2.0/mlflow/logged-models/{model}/artifacts/directories"),
        ]
        told = [(reply.status, reply.body) for reply in replies]
        return [(s, b.replace(model.encode(), b"M").replace(run.encode(), b"RUN")) for s, b in told]

    assert await seen(run_id, model_id) == await seen(*never)
    assert await stored(other) == []
    assert (await client.ask("GET", of_run(run_id, "/a"))).body == b"secret"


async def test_nothing_is_written_where_no_run_or_model_is(client: Client) -> None:
    run_id, gone = await new_run(client), await new_run(client)
    await client.ask("PUT", of_run(gone, "/kept"), raw=b"1")
    await client.post("runs/delete", {"run_id": gone})
    for path, status in [
        (of_run("0" * 32, "/a"), 404),
        (of_model(f"m-{'0' * 32}", "/a"), 404),
        (of_run(gone, "/a"), 400),
        (f"{ARTIFACTS}/1/{run_id}/artifacts/a", 404),  # not its experiment
        (f"{ARTIFACTS}/{'9' * 18}/{run_id}/artifacts/a", 404),
        (f"{ARTIFACTS}/a", 400),
        (f"{ARTIFACTS}/0/{run_id}/a", 400),
        (f"{ARTIFACTS}/t/{client.tenant.id}/1/0/{run_id}/artifacts/a", 400),
        (of_run(run_id), 400),
        (of_run(run_id, "/d/"), 400),
    ]:
        reply = await client.ask("PUT", path, raw=b"x")
        assert (reply.status, path) == (status, path), reply.body
        assert set(content(reply)) == {"error_code", "message"}
    assert await stored(client) == [f"0/{gone}/artifacts/kept"]
    assert (await client.ask("DELETE", of_run(gone, "/kept"))).status == 400
    assert (await client.ask("GET", of_run(gone, "/kept"))).body == b"1", "still to be read"


@pytest.mark.parametrize("path", ["/a/b", "/a"])
async def test_a_name_is_a_file_or_a_folder(client: Client, path: str) -> None:
    run_id = await new_run(client)
    await client.ask("PUT", of_run(run_id, "/a" if path == "/a/b" else "/a/b"), raw=b"1")
    before = await stored(client)
    reply = await client.ask("PUT", of_run(run_id, path), raw=b"2")
    assert (reply.status, content(reply)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert await stored(client) == before
