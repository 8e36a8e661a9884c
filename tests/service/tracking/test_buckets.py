"""Artifacts in a bucket of a real S3 server: as in a folder, and with URLs of the server's own."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from urllib.parse import parse_qs, urlsplit

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from services.tracking.commands.contents import Freed, free_contents
from services.tracking.service import SERVICE
from tests.databases import own_database
from tests.listening import listening
from tests.object_servers import S3
from tests.service.tracking.archiving import LINE, archived, keys_of_files, old_run
from tests.service.tracking.making import points_of
from tests.service.tracking.owners import new_run, of_run, stored
from tests.service.tracking.parts import PARTS, WHOLE, begun
from tests.service.tracking.test_contents import put, read
from tests.service.tracking.wire import connected
from tests.serving import Client, new_tenant, served
from tests.waiting import eventually

MIB = 1024 * 1024
LARGE = 20 * MIB + 7


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def on_bucket(platform_environment: Mapping[str, str], s3: S3) -> AsyncIterator[Client]:
    """The service on the bucket, with a database that no other store's sweep sees."""
    async with (
        own_database(platform_environment) as own,
        served(SERVICE, {**own, **s3.settings}) as client,
    ):
        yield client


@pytest.fixture
def bucket(on_bucket: Client) -> Client:
    """A client of a fresh tenant whose artifacts lie in the bucket."""
    return on_bucket.of(new_tenant())


def objects(client: Client, s3: S3) -> list[str]:
    return [key for key in s3.objects() if client.tenant.id in key]


async def test_files_go_in_and_out_whole_and_in_ranges(bucket: Client, s3: S3) -> None:
    run_id = await new_run(bucket)
    body = hashlib.sha256(b"large").digest() * (LARGE // 32 + 1)
    body = body[:LARGE]
    for path, sent in (("/small", b"hello"), ("/empty", b""), ("/d/large", body)):
        await put(bucket, of_run(run_id, path), sent)
        assert await read(bucket, of_run(run_id, path)) == sent
    for asked, status, expected in (
        ("bytes=9000000-9000009", 206, body[9_000_000:9_000_010]),
        ("bytes=-3", 206, body[-3:]),
        (f"bytes={LARGE}-", 416, b""),
    ):
        got = await bucket.ask("GET", of_run(run_id, "/d/large"), headers=[("range", asked)])
        assert (got.status, got.body) == (status, expected)
    assert len(objects(bucket, s3)) == 3
    assert all(key.startswith("below/here/t/") for key in objects(bucket, s3))


async def test_the_same_bytes_are_stored_once_and_freed(bucket: Client, s3: S3) -> None:
    run_id = await new_run(bucket)
    for path in ("/a", "/b", "/d/c"):
        await put(bucket, of_run(run_id, path), b"s" * (2 * MIB))
    assert len(objects(bucket, s3)) == 1
    await free_contents(bucket.running, 0)
    await bucket.ask("DELETE", of_run(run_id))
    assert await free_contents(bucket.running, 0) == Freed(1, 2 * MIB)
    assert objects(bucket, s3) == []


async def test_parts_become_one_file(bucket: Client, s3: S3) -> None:
    upload = await begun(bucket)
    await upload.put(2, PARTS[1][:1000])
    assert (await upload.say("complete", parts=await upload.put_all())).status == 200
    assert await read(bucket, upload.file) == WHOLE
    await free_contents(bucket.running, 0)
    assert len(objects(bucket, s3)) == 1


async def test_an_upload_that_is_cut_leaves_nothing_to_be_read(bucket: Client, s3: S3) -> None:
    run_id = await new_run(bucket)
    async with listening(bucket.app) as url, connected(url, bucket) as line:
        await line.send("PUT", of_run(run_id, "/cut"), b"x" * (12 * MIB), length=40 * MIB)
        await line.cut()
    assert (await bucket.ask("GET", of_run(run_id, "/cut"))).status == 404

    async def given_up() -> bool:
        return (await free_contents(bucket.running, 0)).objects == 1

    await eventually(given_up)
    assert (await stored(bucket), objects(bucket, s3)) == ([], [])


async def test_lost_bytes_are_told(bucket: Client, s3: S3) -> None:
    run_id = await new_run(bucket)
    await put(bucket, of_run(run_id, "/a"), b"to be lost")
    (key,) = objects(bucket, s3)
    (s3.folder / key).unlink()
    assert (await bucket.ask("GET", of_run(run_id, "/a"))).status == 409


async def test_urls_of_the_store_give_a_file_for_a_while(bucket: Client) -> None:
    run_id = await new_run(bucket)
    await put(bucket, of_run(run_id, "/a"), b"hello")
    info = msgspec.json.decode((await bucket.ask("GET", "/api/3.0/mlflow/server-info")).body)
    assert info["multipart_downloads_enabled"] is True
    reply = await bucket.ask("GET", f"/api/2.0/mlflow-artifacts/presigned/0/{run_id}/artifacts/a")
    by_path = msgspec.json.decode(reply.body)
    assert (by_path["headers"], by_path["file_size"]) == ({}, 5)
    by_run = await bucket.post(
        "artifacts/presigned-download-url", {"run_id": run_id, "path": "a", "expiration": 4000}
    )
    assert by_run["file_size"] == 5
    async with aiohttp.ClientSession() as session:
        for url in (by_path["url"], by_run["presigned_url"]):
            assert int(parse_qs(urlsplit(url).query)["X-Amz-Expires"][0]) <= 300
            async with session.get(url, headers={"range": "bytes=1-2"}) as got:
                assert (got.status, await got.read()) == (206, b"el")
        async with session.get(by_path["url"].replace("Signature=", "Signature=0")) as got:
            assert got.status == 403
    absent = await bucket.ask(
        "GET", f"/api/2.0/mlflow-artifacts/presigned/0/{run_id}/artifacts/nope"
    )
    assert absent.status == 404


async def test_archived_points_lie_in_the_bucket_and_come_back(bucket: Client, s3: S3) -> None:
    run_id = await old_run(bucket)
    assert await archived(bucket) == 1
    (key,) = await keys_of_files(bucket)
    assert [found.endswith(key) for found in objects(bucket, s3)] == [True]
    assert await points_of(bucket, run_id, "m") == LINE
