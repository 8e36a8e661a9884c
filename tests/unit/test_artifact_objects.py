"""Artifact stores: whole or nothing, streamed both ways, removed one by one or many at once."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import obstore
import pytest
from obstore.store import MemoryStore

from libs.common.errors import Refusal
from libs.common.settings import SettingsError
from services.tracking.artifacts.folder import Folder
from services.tracking.artifacts.objects import MIB, ArtifactStore, Objects
from services.tracking.artifacts.opening import open_store
from services.tracking.settings import Settings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture(params=["folder", "objects"])
def store(request: pytest.FixtureRequest, root: Path) -> ArtifactStore:
    """A local folder, and what stands for a bucket: the same calls without files."""
    return Folder(root) if request.param == "folder" else Objects(MemoryStore(), part_bytes=MIB)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def cut_off(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    raise ConnectionAbortedError("the client left")


async def put(store: ArtifactStore, key: str, body: bytes) -> None:
    await store.put(key, chunks(body), len(body))


async def read(store: ArtifactStore, key: str) -> bytes | None:
    found = await store.find(key)
    if found is None:
        return None
    return b"".join([part async for part in store.read(found, 0, found.size)])


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("size", [0, 1, MIB, MIB + 1, 7 * MIB + 5])
@pytest.mark.parametrize("said", [True, False])
async def test_what_is_put_is_read(store: ArtifactStore, size: int, said: bool) -> None:
    body = bytes(range(251)) * (size // 251 + 1)
    body = body[:size]
    pieces = [body[at : at + 60_000] for at in range(0, size, 60_000)]
    await store.put("a/b", chunks(*pieces), size if said else None)
    assert await read(store, "a/b") == body


async def test_ranges(store: ArtifactStore) -> None:
    body = bytes(range(256)) * (3 * MIB // 256)
    await put(store, "a", body)
    found = await store.find("a")
    assert found is not None
    for start, end in [(0, 1), (5, 5), (10, 2 * MIB + 7), (3 * MIB - 1, 3 * MIB)]:
        assert b"".join([part async for part in store.read(found, start, end)]) == body[start:end]


async def test_an_object_is_replaced_whole(store: ArtifactStore) -> None:
    await put(store, "a", b"first")
    await put(store, "a", b"second")
    assert await read(store, "a") == b"second"


async def test_a_reader_never_sees_two_versions_mixed(store: ArtifactStore) -> None:
    await put(store, "a", b"1" * (3 * MIB))
    found = await store.find("a")
    assert found is not None
    reading = store.read(found, 0, found.size)
    assert set(await anext(reading)) == {ord("1")}
    await put(store, "a", b"22" * (3 * MIB))
    with pytest.raises(Refusal, match="replaced"):
        await anext(reading)


@pytest.mark.parametrize(
    ("sent", "said"), [(b"short", 6), (b"long", 3), (b"x" * (2 * MIB), 3 * MIB), (b"", 1)]
)
async def test_a_body_of_another_length_than_said_stores_nothing(
    store: ArtifactStore, sent: bytes, said: int
) -> None:
    with pytest.raises(Refusal) as caught:
        await store.put("a/b", chunks(sent), said)
    assert caught.value.status == 400
    assert await store.find("a/b") is None


@pytest.mark.parametrize("before", [1, 40])
@pytest.mark.parametrize("said", [None, 50 * MIB])
async def test_a_cut_connection_leaves_nothing(root: Path, before: int, said: int | None) -> None:
    store = Folder(root)
    await put(store, "a/kept", b"as it was")
    for key in ("a/new", "a/kept"):
        with pytest.raises(ConnectionAbortedError):
            await store.put(key, cut_off(*[b"x" * 100_000] * before), said)
    assert files_below(root) == ["a/kept"]
    assert await read(store, "a/kept") == b"as it was"


async def test_a_cancelled_upload_leaves_nothing(root: Path) -> None:
    store = Folder(root)
    under_way = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * MIB
        under_way.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(store.put("a/b", endless(), None))
    await under_way.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.find("a/b") is None
    assert files_below(root) == []


async def test_an_unfinished_upload_is_not_to_be_seen(root: Path) -> None:
    store = Folder(root)
    go_on = asyncio.Event()
    under_way = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x" * (5 * MIB)
        under_way.set()
        await go_on.wait()
        yield b"x"

    task = asyncio.create_task(store.put("a/b", slow(), None))
    await under_way.wait()
    assert await store.find("a/b") is None
    go_on.set()
    await task
    found = await store.find("a/b")
    assert found is not None
    assert found.size == 5 * MIB + 1


async def test_a_large_upload_and_download_stay_small_in_memory(root: Path) -> None:
    store = Folder(root)
    piece = b"x" * 65_536

    async def large() -> AsyncIterator[bytes]:
        for _ in range(64 * MIB // len(piece)):
            yield piece

    tracemalloc.start()
    try:
        await store.put("a", large(), 64 * MIB)
        found = await store.find("a")
        assert found is not None
        total = 0
        async for part in store.read(found, 0, found.size):
            total += len(part)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 64 * MIB
    assert peak < 16 * MIB


async def test_a_slow_store_holds_the_client_back() -> None:
    """Chunks are asked for as parts go out, not all at once."""
    asked = 0
    held = MemoryStore()

    async def counting() -> AsyncIterator[bytes]:
        nonlocal asked
        for _ in range(400):
            asked += 1
            if asked == 200:
                raise ConnectionAbortedError("seen enough")
            yield b"x" * 65_536

    with pytest.raises(ConnectionAbortedError):
        await Objects(held, part_bytes=MIB).put("a", counting(), None)
    assert asked == 200
    assert obstore.list(held).collect() == []


async def test_removing_takes_what_is_named_and_no_neighbour(store: ArtifactStore) -> None:
    for name in ("r/a", "r/ab", "r/d/x", "r/d/y"):
        await put(store, name, b"1")
    await store.delete(["r/a", "r/nothing", "r/d/x", "r/ab/below"])
    assert [await read(store, name) for name in ("r/a", "r/ab", "r/d/x", "r/d/y")] == [
        *(None, b"1", None, b"1")
    ]


async def test_what_a_dead_upload_has_left_goes_with_its_key(root: Path) -> None:
    store = Folder(root)
    await put(store, "r/kept", b"1")
    for name in ("r/a#1", "r/a#12", "r/ab#1"):
        (root / name).write_bytes(b"half")
    await store.delete(["r/a"])
    assert files_below(root) == ["r/ab#1", "r/kept"]


def chosen(artifact_store: str) -> Settings:
    """Settings of a store."""
    return Settings(
        artifact_store=artifact_store,
        s3_endpoint="http://127.0.0.1:1",
        s3_region="eu-central-1",
        s3_access_key_id="id",
        s3_secret_access_key="secret",
        azure_account="account",
        azure_key="c2VjcmV0",
    )


async def test_a_file_address_chooses_a_local_folder(tmp_path: Path) -> None:
    store = open_store(chosen((tmp_path / "with space").as_uri()))
    await put(store, "a", b"1")
    assert (tmp_path / "with space/a").read_bytes() == b"1"


@pytest.mark.parametrize("url", ["s3://bucket/some/prefix", "az://container", "gs://bucket/prefix"])
def test_a_bucket_address_chooses_a_bucket(url: str) -> None:
    assert isinstance(open_store(chosen(url)), Objects)


def test_credentials_that_are_not_there_are_named_at_the_start(tmp_path: Path) -> None:
    settings = Settings(artifact_store="gs://b", google_credentials=str(tmp_path / "absent.json"))
    with pytest.raises(SettingsError, match="cannot be opened"):
        open_store(settings)


@pytest.mark.parametrize(
    "url", ["", "relative", "file://host/x", "file:", "s3://", "ftp://b", "/x"]
)
def test_other_stores_are_refused_by_name(url: str) -> None:
    with pytest.raises(SettingsError, match="TRACKING_ARTIFACT_STORE"):
        open_store(chosen(url))
