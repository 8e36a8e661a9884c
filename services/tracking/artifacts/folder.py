"""A local folder as an object store, which nothing enters or leaves by a symbolic link."""

import asyncio
import glob
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from obstore.store import LocalStore

from libs.common.errors import invalid
from services.tracking.artifacts.objects import MIB, Found, Objects, store_away

PART_BYTES: Final = MIB


class Folder:
    """Keys are paths below `root`. Uploads lie beside their place as `name#1` until complete."""

    signs = False

    def __init__(self, root: Path) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root = root.resolve()
        self._objects = Objects(LocalStore(self._root), part_bytes=PART_BYTES)

    async def put(self, key: str, chunks: AsyncIterator[bytes], length: int | None) -> None:
        """Store a body, all of it or nothing, so that it outlives a loss of power."""
        place = await asyncio.to_thread(place_of, self._root, key)
        await self._objects.put(key, chunks, length)
        try:
            await asyncio.to_thread(self._make_durable, place)
        except OSError as problem:
            raise store_away(problem) from problem

    async def find(self, key: str) -> Found | None:
        """The file at `key`, None when there is none."""
        place = await asyncio.to_thread(place_of, self._root, key)
        return await self._objects.find(key) if place.is_file() else None

    def read(self, found: Found, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of a range."""
        return self._objects.read(found, start, end)

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove files, and what a process that died has left of their uploads."""
        try:
            await asyncio.to_thread(self._delete, keys)
        except OSError as problem:
            raise store_away(problem) from problem

    async def signed(self, key: str, seconds: int) -> str:
        """A folder has no URLs of its own."""
        raise TypeError(f"no URL gives {key} for {seconds} s: see `signs`")

    def _make_durable(self, place: Path) -> None:
        _sync(place)
        # Each of them may be new, and is known by an entry in the one above it.
        for folder in place.parents:
            _sync(folder)
            if folder == self._root:
                return

    def _delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            place = place_of(self._root, key)
            # All of `name#1`, `name#2`, …: what is written here has no `#` in its name.
            for file in (place, *place.parent.glob(f"{glob.escape(place.name)}#*")):
                with suppress(FileNotFoundError, NotADirectoryError):
                    file.unlink()


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def place_of(root: Path, key: str) -> Path:
    """The path of a key, always below `root`; refused where a link or a strange name is in it.

    This is the last wall before the disk and trusts no rule before it: what it gives may be
    deleted with all that is below.
    """
    names = key.split("/")
    if any(name in {"", ".", ".."} or "\0" in name for name in names):
        raise invalid("Invalid path")
    # Put together as text: joining would let an absolute key replace the root.
    place = f"{root}/{key}"
    if os.path.realpath(place) != place or not Path(place).is_relative_to(root):
        raise invalid("Invalid path")
    if Path(place) == root or root == Path("/"):
        raise invalid("Invalid path")
    return Path(place)
