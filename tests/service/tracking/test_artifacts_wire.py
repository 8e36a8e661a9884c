"""Artifacts over real sockets: hostile paths stay inside, cut uploads leave nothing behind."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from libs.common.principal import PRINCIPAL_HEADER
from tests.listening import listening
from tests.service.tracking.owners import new_run, objects, of_run, store_folder, stored
from tests.service.tracking.wire import ARTIFACTS, asked, connected
from tests.serving import Client, new_tenant
from tests.waiting import eventually

SECRET = b"nobody may read, replace or remove this"
MIB = 1024 * 1024

# Written into the request line as they stand, after the artifact root of a run.
CLIMBS = {
    "plain": "{up}{canary}",
    "encoded": "{up_encoded}{canary}",
    "encoded twice": "{up_twice}{canary}",
    "encoded three times": "{up_thrice}{canary}",
    "encoded slashes": "{up_all_encoded}{canary}",
    "backslashes": "{up_back}{canary}",
    "encoded backslashes": "{up_back_encoded}{canary}",
    "absolute": "/{absolute}",
    "absolute encoded": "%2f{absolute}",
    "absolute encoded twice": "%252f{absolute}",
    "file scheme": "file://{absolute}",
    "file scheme encoded": "file%3a%2f%2f{absolute}",
    "drive": "C:{absolute}",
    "nul": "{up}{canary}%00.txt",
    "nul encoded twice": "a%2500/{up}{canary}",
    "line break at the end": "{up}{canary}%0a",
    "dot names": "./././{up}{canary}",
    "doubled slash": "/{up}/{canary}",
    "fragment": "{up}{canary}%23x",
    "undecodable": "%ff/{up}{canary}",
    "overlong encoding of a dot": "%c0%ae%c0%ae/{canary}",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def url(tracking: Client) -> AsyncIterator[str]:
    """The service behind a real socket."""
    async with listening(tracking.app) as found:
        yield found


@pytest.fixture
def canary(tracking: Client) -> Iterator[Path]:
    """A file beside the folder of the store."""
    found = store_folder(tracking).parent / "canary.txt"
    found.write_bytes(SECRET)
    yield found
    found.unlink()


def target_of(climb: str, canary: Path) -> str:
    # From 0/<run>/artifacts below t/<tenant>/<workspace> up to what holds the store.
    ups = 7
    return climb.format(
        up="../" * ups,
        up_encoded="%2e%2e/" * ups,
        up_twice="%252e%252e/" * ups,
        up_thrice="%25252e%25252e%25252f" * ups,
        up_all_encoded="%2e%2e%2f" * ups,
        up_back="..\\" * ups,
        up_back_encoded="..%5c" * ups,
        absolute=str(canary),
        canary=canary.name,
    )


@pytest.mark.parametrize("climb", CLIMBS.values(), ids=CLIMBS.keys())
async def test_no_path_leads_out_of_the_store(
    client: Client, url: str, canary: Path, climb: str
) -> None:
    run_id = await new_run(client)
    await client.ask("PUT", of_run(run_id, "/kept"), raw=b"1")
    around = sorted(path.name for path in canary.parent.iterdir())
    whole = target_of(climb, canary)
    for method, body in [("GET", b""), ("HEAD", b""), ("PUT", b"evil"), ("DELETE", b"")]:
        for root in (of_run(run_id), ARTIFACTS):
            answer = await asked(url, client, method, f"{root}/{whole}", body)
            assert 400 <= answer.status < 500, (method, root, answer)
            assert SECRET not in answer.body
    for query in (f"{ARTIFACTS}?path=", f"/api/2.0/mlflow/artifacts/list?run_id={run_id}&path="):
        answer = await asked(url, client, "GET", f"{query}{whole}")
        assert canary.name.encode() not in answer.body
        assert answer.status == 400, answer
    page = await asked(url, client, "GET", f"/get-artifact?run_id={run_id}&path={whole}")
    assert (page.status, SECRET in page.body) == (400, False)
    assert canary.read_bytes() == SECRET
    assert sorted(path.name for path in canary.parent.iterdir()) == around
    assert await stored(client) == [f"0/{run_id}/artifacts/kept"]


async def test_a_way_through_another_run_is_refused_too(client: Client, url: str) -> None:
    own, other = await new_run(client), client.of(new_tenant())
    foreign = await new_run(other)
    await other.ask("PUT", of_run(foreign, "/a"), raw=SECRET)
    for up in ("../../..", "%2e%2e/%2e%2e/%2e%2e", "..%2f..%2f..", "%252e%252e/../.."):
        for middle in (f"0/{foreign}", f"../../{other.tenant.id}/1/0/{foreign}"):
            for method in ("GET", "PUT", "DELETE"):
                path = of_run(own, f"/{up}/{middle}/artifacts/a")
                answer = await asked(url, client, method, path, b"")
                assert (answer.status, SECRET in answer.body) == (400, False), path
    assert (await other.ask("GET", of_run(foreign, "/a"))).body == SECRET


async def test_a_link_in_the_store_is_not_followed(client: Client, url: str, canary: Path) -> None:
    run_id = await new_run(client)
    await client.ask("PUT", of_run(run_id, "/a"), raw=b"1")
    (key,) = objects(client)
    place = store_folder(client) / "t" / client.tenant.id / key
    place.unlink()
    place.symlink_to(canary)
    for method in ("GET", "HEAD"):
        answer = await asked(url, client, method, of_run(run_id, "/a"), b"")
        assert (answer.status, SECRET in answer.body) == (400, False), method
    assert canary.read_bytes() == SECRET


@pytest.mark.parametrize("sent", [0, 100, 3 * MIB + 7])
async def test_an_upload_that_is_cut_leaves_nothing(client: Client, url: str, sent: int) -> None:
    run_id = await new_run(client)
    await client.ask("PUT", of_run(run_id, "/old"), raw=b"before")
    for path in ("/new", "/old"):
        async with connected(url, client) as line:
            await line.send("PUT", of_run(run_id, path), b"x" * sent, length=9 * MIB)
            if sent > MIB:  # a part of it has reached the disk
                await eventually(lambda: len(objects(client)) == 2)
            await line.cut()
        await eventually(lambda: len(objects(client)) == 1)
    assert await stored(client) == [f"0/{run_id}/artifacts/old"]
    assert (await client.ask("GET", of_run(run_id, "/old"))).body == b"before"
    assert (await client.ask("GET", of_run(run_id, "/new"))).status == 404


@pytest.mark.parametrize("size", [10, 3 * MIB])
@pytest.mark.parametrize("difference", [-3, 3])
async def test_a_body_of_another_length_than_was_said_is_refused(
    client: Client, size: int, difference: int
) -> None:
    # Behind a gateway in the same process the length is a header like any other.
    run_id = await new_run(client)
    reply = await client.ask(
        "PUT",
        of_run(run_id, "/a"),
        raw=b"x" * (size + difference),
        headers=[("content-length", str(size))],
    )
    assert reply.status == 400
    assert (await stored(client), objects(client)) == ([], [])


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize(("most", "size"), [(10, 11), (3 * MIB, 3 * MIB + 1), (0, 3 * MIB)])
async def test_a_file_past_the_limit_is_refused_and_leaves_nothing(
    client: Client, url: str, monkeypatch: pytest.MonkeyPatch, most: int, size: int, said: bool
) -> None:
    limited = msgspec.structs.replace(client.running.settings, artifact_max_bytes=most)
    monkeypatch.setattr(client.running, "settings", limited)
    run_id = await new_run(client)

    async def pieces(length: int) -> AsyncIterator[bytes]:
        yield b"x" * (length - 1)
        yield b"x"

    headers = {PRINCIPAL_HEADER: client.signer.principal(client.tenant, "tracking")}
    async with aiohttp.ClientSession(headers=headers) as session:
        target = f"{url}{of_run(run_id, '/a')}"
        length = {"content-length": str(size)} if said else {}
        async with session.put(target, data=pieces(size), headers=length) as refused:
            if not most:
                assert refused.status == 200
                return
            assert refused.status == 413
            assert "TRACKING_ARTIFACT_MAX_BYTES" in (await refused.json())["message"]
        assert (await stored(client), objects(client)) == ([], [])
        async with session.put(target, data=pieces(most)) as taken:
            assert taken.status == 200
    assert await stored(client) == [f"0/{run_id}/artifacts/a"]


async def test_large_files_go_through_whole_in_both_directions(client: Client, url: str) -> None:
    run_id = await new_run(client)
    size = 20 * MIB + 3
    piece = bytes(range(251)) * 4_000

    async def pieces() -> AsyncIterator[bytes]:
        left = size
        for _ in itertools.count():
            if left <= 0:
                return
            yield piece[: min(left, len(piece))]
            left -= len(piece)

    headers = {PRINCIPAL_HEADER: client.signer.principal(client.tenant, "tracking")}
    async with aiohttp.ClientSession(headers=headers) as session:
        target = f"{url}{of_run(run_id, '/big')}"
        async with session.put(target, data=pieces()) as put:  # chunked: its length is not said
            assert put.status == 200
        got = bytearray()
        async with session.get(target) as reply:
            async for chunk in reply.content.iter_chunked(MIB):
                got += chunk
    assert bytes(got) == b"".join([part async for part in pieces()])
    assert await stored(client) == [f"0/{run_id}/artifacts/big"]


async def test_a_reader_who_leaves_holds_up_nobody(client: Client, url: str) -> None:
    run_id = await new_run(client)
    await client.ask("PUT", of_run(run_id, "/big"), raw=b"z" * (12 * MIB))
    for _ in range(20):
        async with connected(url, client) as line:
            await line.send("GET", of_run(run_id, "/big"))
            await line.cut()
    replies = await asyncio.gather(*(client.ask("GET", of_run(run_id, "/big")) for _ in range(4)))
    assert {len(reply.body) for reply in replies} == {12 * MIB}
