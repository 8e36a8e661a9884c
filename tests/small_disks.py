"""Folders without room: a small file system where one may be mounted, else a limit on files.

A file system in memory needs the right to mount, which root has outside of most containers. The
limit on the size of files (RLIMIT_FSIZE) works for everybody: the kernel refuses a write beyond it
midway, as a full disk does, with another number (EFBIG). It holds for all that this process writes,
so it is far above what tests write elsewhere, and only there while a disk is to be full.
"""

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

MIB: Final = 1024 * 1024
SIZE: Final = 64 * MIB
# What is left where a disk is full: less than any file that is to be refused.
LEFT: Final = 2 * MIB
_BALLAST: Final = "ballast"


class SmallDisk(Protocol):
    """A folder that can be filled, and emptied again."""

    @property
    def folder(self) -> Path: ...
    def fill(self) -> None:
        """Leave room for LEFT bytes."""
        ...

    def free(self) -> None:
        """Give the room back."""
        ...


class SmallFileSystem:
    """A file system in memory, filled by a file beside what the test stores."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "artifacts"
        self._ballast = folder / _BALLAST

    def fill(self) -> None:
        """Leave room for LEFT bytes."""
        stored = sum(f.stat().st_size for f in self.folder.rglob("*") if f.is_file())
        with self._ballast.open("wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, SIZE - stored - LEFT)

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)


class ShortFiles:
    """A folder where no file may be longer than LEFT, while it is full."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        """Leave room for LEFT bytes."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (LEFT, self._before[1]))

    def free(self) -> None:
        """Give the room back."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


@contextmanager
def small_file_system(folder: Path) -> Iterator[SmallDisk]:
    """A small file system at `folder`; where none may be mounted, as `short_files`."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "small", str(folder)]
    mounted = False
    with suppress(OSError):
        mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    if not mounted:
        folder.rmdir()
        with short_files(folder) as disk:
            yield disk
        return
    try:
        yield SmallFileSystem(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def short_files(folder: Path) -> Iterator[SmallDisk]:
    """A folder under a limit on the size of files."""
    folder.mkdir()
    disk = ShortFiles(folder)
    try:
        yield disk
    finally:
        disk.free()
