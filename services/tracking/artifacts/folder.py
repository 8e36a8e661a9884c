"""A local folder as an object store, which nothing enters or leaves by a symbolic link."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from obstore.store import LocalStore

from libs.common.errors import Refusal, invalid
from services.tracking.artifacts.objects import MIB, Entry, Found, Objects

PART_BYTES: Final = MIB


class Folder:
    """Keys are paths below `root`. Uploads lie beside their place as `name#1` until complete."""

    def __init__(self, root: Path) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root = root.resolve()
        self._objects = Objects(LocalStore(self._root), part_bytes=PART_BYTES)

    async def put(self, key: str, chunks: AsyncIterator[bytes], length: int | None) -> None:
        """Store a body, all of it or nothing; refused where a folder or file is in the way."""
        await asyncio.to_thread(self._check_place, key)
        try:
            await self._objects.put(key, chunks, length)
        except Refusal as refusal:
            if refusal.status >= 500:  # Perhaps another upload took the place meanwhile.
                await asyncio.to_thread(self._check_place, key)
            raise

    async def find(self, key: str) -> Found | None:
        """The file at `key`, None when there is none, as below another file."""
        place = await asyncio.to_thread(place_of, self._root, key)
        return await self._objects.find(key) if place.is_file() else None

    def read(self, found: Found, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of a range."""
        return self._objects.read(found, start, end)

    async def entries(self, key: str) -> list[Entry]:
        """What lies directly below a folder, by name, without links and unfinished uploads."""
        return await asyncio.to_thread(self._entries, key)

    async def delete(self, key: str) -> None:
        """Remove the file or folder at `key`."""
        await asyncio.to_thread(self._delete, key)

    async def move(self, key: str, to: str) -> None:
        """Move all files below a folder to the same places below another; links stay."""
        await asyncio.to_thread(self._move, key, to)

    def _check_place(self, key: str) -> None:
        place = place_of(self._root, key)
        above = place.relative_to(self._root).parents
        if place.is_dir() or any((self._root / part).is_file() for part in above):
            raise invalid("Invalid path: an artifact cannot be both a file and a directory.")

    def _entries(self, key: str) -> list[Entry]:
        below = []
        try:
            with os.scandir(place_of(self._root, key)) as found:
                for item in found:
                    if item.is_dir(follow_symlinks=False):
                        below.append(Entry(item.name, True))
                    elif item.is_file(follow_symlinks=False) and "#" not in item.name:
                        size = item.stat(follow_symlinks=False).st_size
                        below.append(Entry(item.name, False, size))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(below, key=lambda entry: entry.name)

    def _move(self, key: str, to: str) -> None:
        place, target = place_of(self._root, key), place_of(self._root, to)
        for above, _, names in os.walk(place, topdown=False, followlinks=False):
            folder = target / Path(above).relative_to(place)
            for name in names:
                file = Path(above, name)
                # An unfinished upload ends at its old place, or not at all.
                if not file.is_symlink() and "#" not in name:
                    folder.mkdir(parents=True, exist_ok=True)
                    file.replace(folder / name)
            with suppress(OSError):  # Something is left in it, or just came.
                Path(above).rmdir()

    def _delete(self, key: str) -> None:
        place = place_of(self._root, key)
        try:
            if place.is_dir():
                shutil.rmtree(place)
            else:
                place.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return


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
