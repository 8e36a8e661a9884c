"""Which artifact paths are accepted, and whose folder each of them lies in.

A path comes in as a client wrote it, perhaps encoded more than once. It is decoded until it stays
the same, and what is then not a plain relative path of plain names is refused, with MLflow's words.
"""

import re
import secrets
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote

from libs.common.errors import Refusal, invalid

# What a client can write to its own disk again, and what an index of PostgreSQL can hold.
NAME_BYTES: Final = 250
PATH_BYTES: Final = 960

_DECODINGS: Final = 10
_FORBIDDEN: Final = re.compile(r"[\\#?\ufffd]")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_WINDOWS: Final = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_EXPERIMENT: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_RUN: Final = re.compile(r"[0-9a-f]{32}")
_MODEL: Final = re.compile(r"m-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Owner:
    """The run or logged model that a folder of artifacts belongs to."""

    kind: Literal["run", "model"]
    experiment_id: str
    id: str

    @property
    def folder(self) -> str:
        """Where its artifacts lie, as the path in its artifact URI."""
        middle = self.id if self.kind == "run" else f"models/{self.id}"
        return f"{self.experiment_id}/{middle}/artifacts"


def clean_file(path: str) -> str:
    """The path of a file, decoded; raises the refusal "Invalid path" for any that is not plain."""
    if path.endswith("/"):
        raise invalid("Artifact path must include a filename (cannot end with '/').")
    return _checked(_decoded(path))


def clean_folder(path: str) -> str:
    """The path of a folder or file, decoded, '' for the uppermost; one slash may end it."""
    decoded = _decoded(path)
    return _checked(decoded.removesuffix("/")) if decoded else ""


def owner_of(path: str) -> Owner | None:
    """Whose folder a clean path is, or lies in; None where nobody's artifacts can lie."""
    names = path.split("/")
    if not _EXPERIMENT.fullmatch(names[0]):
        return None
    if names[1:2] == ["models"]:
        kind, pattern, found, rest = "model", _MODEL, names[2:3], names[3:]
    else:
        kind, pattern, found, rest = "run", _RUN, names[1:2], names[2:]
    if not found or not pattern.fullmatch(found[0]) or rest[:1] != ["artifacts"]:
        return None
    return Owner("model" if kind == "model" else "run", names[0], found[0])


def experiment_of(path: str) -> int | None:
    """The experiment that a clean path names first, None where it names none."""
    name = path.partition("/")[0]
    return int(name) if _EXPERIMENT.fullmatch(name) else None


def join(folder: str, path: str) -> str:
    """A clean path below a folder; the folder itself for ''."""
    return f"{folder}/{path}" if path else folder


def name_on_disk(path: str) -> str:
    """The name of a file by its path on a client's disk, of whatever system that is."""
    name = path.rpartition("/")[2]
    # On Windows a path begins with a drive or a share; elsewhere a backslash is part of a name.
    return name.rpartition("\\")[2] if _WINDOWS.match(path) else name


def new_key(tenant: str) -> str:
    """The key of a new object in the store, which nothing but its rows tells of.

    The two digits spread the objects of a tenant over 256 folders, where the store has folders.
    """
    name = secrets.token_hex(16)
    return f"t/{tenant}/c/{name[:2]}/{name}"


def _decoded(path: str) -> str:
    for _ in range(_DECODINGS):
        decoded = unquote(path)
        if decoded == path:
            return path
        path = decoded
    raise _refused()


def _checked(path: str) -> str:
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise _refused() from None
    if size > PATH_BYTES or _FORBIDDEN.search(path) or any(map(_is_control, path)):
        raise _refused()
    names = path.split("/")
    if not all(map(_is_plain, names)) or any(name.endswith(":") for name in names[:-1]):
        raise _refused()
    return path


def _is_control(letter: str) -> bool:
    # Cc: what terminals and file systems act on. Cf and Zl/Zp would let one name show as another.
    return unicodedata.category(letter) in {"Cc", "Cf", "Zl", "Zp"}


def _is_plain(name: str) -> bool:
    return (
        name not in {"", ".", ".."}
        and len(name.encode()) <= NAME_BYTES
        and not _DRIVE.match(name)
        and not name.lower().startswith("file:")
    )


def _refused() -> Refusal:
    return invalid("Invalid path")
