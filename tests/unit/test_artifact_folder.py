"""A local folder as artifact store: no link and no strange key leads out of it."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.common.errors import Refusal
from services.tracking.artifacts.folder import Folder, place_of

SECRET = b"nobody may read or write this"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the store, with a file that must stay as it is and unread."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "canary").write_bytes(SECRET)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


async def put(store: Folder, key: str, body: bytes) -> None:
    async def once() -> AsyncIterator[bytes]:
        yield body

    await store.put(key, once(), len(body))


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


LINKS = {
    "to a folder": ("r/link", "r/link/canary"),
    "to a file": ("r/link", "r/link"),
    "on the way": ("r", "r/canary"),
}


@pytest.mark.parametrize("case", LINKS.values(), ids=LINKS.keys())
async def test_links_lead_nowhere(root: Path, outside: Path, case: tuple[str, str]) -> None:
    link, key = case
    store = Folder(root)
    (root / link).parent.mkdir(parents=True, exist_ok=True)
    (root / link).symlink_to(outside / "canary" if key == link else outside)
    refused: list[Callable[[], Awaitable[object]]] = [
        lambda: store.find(key),
        lambda: store.delete([key]),
        lambda: put(store, key, b"overwritten"),
        lambda: put(store, key + "/below", b"new"),
    ]
    for ask in refused:
        with pytest.raises(Refusal, match="Invalid path"):
            await ask()
    assert files_below(outside) == ["canary"]
    assert (outside / "canary").read_bytes() == SECRET


parts = st.sampled_from(
    ["..", ".", "", "/", "a", "link", "outside", "canary", "~", "*", "a\0b", "%2e%2e", "\\.."]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(parts, min_size=1, max_size=6).map("/".join))
def test_the_place_of_any_key_is_below_the_root(root: Path, outside: Path, key: str) -> None:
    """The last wall before the disk, with no path rule before it. Only asks, deletes nothing."""
    root.mkdir(exist_ok=True)
    if not (root / "link").is_symlink():
        (root / "link").symlink_to(outside)
    try:
        place = place_of(root, key)
    except Refusal:
        return
    assert place != root
    assert place.resolve() == place
    assert root in place.parents


@pytest.mark.parametrize("key", ["", "/", "//", "/etc", "a/", "../x", "a/../../x", "a//b", "."])
@pytest.mark.parametrize("above", [Path("/"), None])
def test_no_key_means_the_root_or_a_place_above_it(
    root: Path, key: str, above: Path | None
) -> None:
    with pytest.raises(Refusal, match="Invalid path"):
        place_of(above or root, key)


def test_the_uppermost_folder_is_no_store() -> None:
    with pytest.raises(Refusal):
        place_of(Path("/"), "a")


async def test_a_file_and_all_folders_on_its_way_are_on_the_disk_before_it_is_answered(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda opened: synced.append(os.fstat(opened).st_ino))
    await put(Folder(root), "t/x/file", b"kept")
    on_its_way = [root / "t/x/file", root / "t/x", root / "t", root]
    assert synced == [path.stat().st_ino for path in on_its_way]
