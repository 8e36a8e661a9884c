"""A store without room: said so at once, nothing is left of the file, all else goes on."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager

import msgspec
import pytest
import pytest_asyncio

from libs.common.http.calling import Reply
from libs.common.http.types import Receive, Scope, Send
from services.tracking.commands.contents import free_contents
from services.tracking.service import SERVICE
from tests.databases import own_database
from tests.listening import listening
from tests.object_servers import BUCKET
from tests.service.tracking.owners import new_run, objects, of_run, stored
from tests.service.tracking.parts import PARTS, WHOLE, begun
from tests.service.tracking.test_contents import loose, put, read
from tests.service.tracking.test_quotas import used
from tests.serving import Client, new_tenant, served
from tests.small_disks import MIB, SmallDisk, short_files, small_file_system

OLD = b"what was there before"
NEW = bytes(range(256)) * (5 * MIB // 256)
CHUNKED = [("transfer-encoding", "chunked")]


@pytest.fixture(scope="module", params=["no space", "file too large"])
def disk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SmallDisk]:
    """A disk that can be filled, of either kind."""
    makes = small_file_system if request.param == "no space" else short_files
    with makes(tmp_path_factory.mktemp("small") / "disk") as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def on_disk(
    platform_environment: Mapping[str, str], disk: SmallDisk
) -> AsyncIterator[Client]:
    """The service with its artifacts on the small disk, and a database whose sweep sees no other."""
    async with own_database(platform_environment) as own:
        own["TRACKING_ARTIFACT_STORE"] = f"file://{disk.folder}"
        async with served(SERVICE, own) as client:
            yield client


@pytest.fixture
def client(on_disk: Client) -> Client:
    """A client of a fresh tenant."""
    return on_disk.of(new_tenant())


@contextmanager
def full(disk: SmallDisk) -> Iterator[None]:
    """The disk is full inside."""
    disk.fill()
    try:
        yield
    finally:
        disk.free()


def refused(reply: Reply) -> bool:
    """Whether a client is told that there is no room, and what helps; it raises if not."""
    told = msgspec.json.decode(reply.body)
    assert (reply.status, told["error_code"]) == (507, "RESOURCE_EXHAUSTED"), told
    for words in ("no room left", "nothing of this file was stored", "operator", "make room"):
        assert words in told["message"]
    return True


async def nothing_came(client: Client, before: list[str]) -> None:
    """No file, no half of one, no row and no byte of the quota is left of an upload."""
    assert objects(client) == before
    await free_contents(client.running, 0)
    assert (objects(client), await loose(client)) == (before, 0)


@pytest.mark.parametrize("headers", [[], CHUNKED], ids=["with its length", "without"])
async def test_an_upload_is_refused_and_leaves_nothing(
    client: Client, disk: SmallDisk, headers: list[tuple[str, str]]
) -> None:
    run_id = await new_run(client)
    path = of_run(run_id, "/model/weights")
    await put(client, path, OLD)
    before, counted = objects(client), await used(client)
    with full(disk):
        for _ in range(2):
            assert refused(await client.ask("PUT", path, raw=NEW, headers=headers))
        new = of_run(run_id, "/model/other")
        assert refused(await client.ask("PUT", new, raw=NEW, headers=headers))
        await nothing_came(client, before)
        assert await used(client) == counted
        assert await stored(client) == [f"0/{run_id}/artifacts/model/weights"]
        # All that needs no room goes on.
        assert await read(client, path) == OLD
        point = {"key": "m", "value": 1, "timestamp": 1, "step": 1}
        batch = {"metrics": [point], "params": [{"key": "p", "value": "1"}]}
        await client.post("runs/log-batch", {"run_id": run_id, **batch})
        shown = (await client.get("runs/get", f"run_id={run_id}"))["run"]["data"]
        assert [shown["metrics"][0]["value"], shown["params"][0]["value"]] == [1, "1"]
        await put(client, of_run(run_id, "/small"), b"for which there is room")
        assert (await client.ask("DELETE", of_run(run_id, "/small"))).status == 200
    await put(client, path, NEW)
    assert await read(client, path) == NEW


async def test_a_part_is_refused_and_can_be_sent_again(client: Client, disk: SmallDisk) -> None:
    upload = await begun(client)
    with full(disk):
        assert refused(await upload.put(1, PARTS[0]))
        await nothing_came(client, [])
    sent = await upload.put_all()
    assert (await upload.say("complete", parts=sent)).status == 200
    assert await read(client, upload.file) == WHOLE


async def test_parts_wait_until_there_is_room_for_the_whole(
    client: Client, disk: SmallDisk
) -> None:
    upload = await begun(client)
    sent = await upload.put_all()
    parts = objects(client)
    with full(disk):
        for _ in range(2):
            assert refused(await upload.say("complete", parts=sent))
        assert objects(client) == parts
        assert (await stored(client), (await used(client))[1]) == ([], 0)
    assert (await upload.say("complete", parts=sent)).status == 200
    assert await read(client, upload.file) == WHOLE
    await free_contents(client.running, 0)
    assert len(objects(client)) == 1


async def test_parts_are_given_up_while_there_is_no_room(client: Client, disk: SmallDisk) -> None:
    upload = await begun(client)
    sent = await upload.put_all()
    with full(disk):
        assert refused(await upload.say("complete", parts=sent))
        assert (await upload.say("abort")).status == 200
        await nothing_came(client, [])


class RefusingBucket:
    """A bucket that takes no object, as MinIO, Ceph or a policy says it, and knows what is begun."""

    def __init__(self) -> None:
        self.status, self.code = 507, ""
        self.begun: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin and end uploads in parts; refuse all that carries bytes."""
        while (await receive()).get("more_body"):
            pass
        status, query, body = self.status, scope["query_string"], f"<Code>{self.code}</Code>"
        if scope["method"] == "POST" and query.startswith(b"uploads"):
            status, body = 200, "<Bucket>b</Bucket><Key>k</Key><UploadId>one</UploadId>"
            body = f"<InitiateMultipartUploadResult>{body}</InitiateMultipartUploadResult>"
            self.begun.add(scope["path"])
        elif scope["method"] == "DELETE":
            status, body = 204, ""
            self.begun.discard(scope["path"])
        elif scope["method"] != "PUT":
            status, body = 404, "<Error><Code>NoSuchKey</Code></Error>"
        else:
            body = f"<Error>{body}</Error>"
        length = str(len(body)).encode()
        headers = [(b"content-length", length)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body.encode()})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bucket() -> AsyncIterator[tuple[RefusingBucket, str]]:
    """The bucket and its endpoint."""
    found = RefusingBucket()
    async with listening(found) as url:
        yield found, url


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def on_bucket(
    platform_environment: Mapping[str, str], bucket: tuple[RefusingBucket, str]
) -> AsyncIterator[Client]:
    """The service with its artifacts in the bucket."""
    async with own_database(platform_environment) as own:
        own |= {
            "TRACKING_ARTIFACT_STORE": f"s3://{BUCKET}",
            "TRACKING_S3_ENDPOINT": bucket[1],
            "TRACKING_S3_REGION": "us-east-1",
            "TRACKING_S3_ACCESS_KEY_ID": "a-key",
            "TRACKING_S3_SECRET_ACCESS_KEY": "a-secret",
        }
        async with served(SERVICE, own) as client:
            yield client


@pytest.mark.parametrize(
    ("status", "code", "told", "words"),
    [
        (507, "XMinioStorageFull", 507, "no room left"),
        (403, "QuotaExceeded", 507, "no room left"),
        (403, "AccessDenied", 503, "credentials and policies"),
    ],
)
async def test_a_bucket_that_refuses_is_told_apart_from_one_that_is_away(
    on_bucket: Client,
    bucket: tuple[RefusingBucket, str],
    status: int,
    code: str,
    told: int,
    words: str,
) -> None:
    client = on_bucket.of(new_tenant())
    found, _ = bucket
    found.status, found.code = status, code
    run_id = await new_run(client)
    # The first is asked again for some seconds, as all that a server fails at.
    for body, headers in ((OLD, []), (NEW, CHUNKED))[: 1 if status == 507 else 2]:
        reply = await client.ask("PUT", of_run(run_id, "/a"), raw=body, headers=headers)
        assert (reply.status, words in msgspec.json.decode(reply.body)["message"]) == (told, True)
    assert found.begun == set()
    await free_contents(client.running, 0)
    assert (await stored(client), await loose(client), (await used(client))[1]) == ([], 0, 0)
