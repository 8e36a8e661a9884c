"""MLflow's built web pages, served from a folder as they lie there.

The folder is read once: what was not in it then is not found, whatever a path says, and so nothing
outside of it ever is. Text is packed when it is first asked for, and kept.
"""

import asyncio
import gzip
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from libs.common.errors import Refusal
from libs.common.settings import SettingsError
from services.gateway.pages.policy import APPLICATION

STATIC: Final = "/static-files/"
INDEX: Final = "index.html"
# Its name changes with its content, so that it may be kept for good.
_HASHED: Final = re.compile(r"\.[0-9a-f]{8,32}\.")
_FOREVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_TEXT: Final = ("text/", "application/json", "image/svg+xml")
_TYPES: Final = {".js": "text/javascript", ".mjs": "text/javascript", ".cjs": "text/javascript"}
NO_PAGES: Final = (
    "This gateway has no web pages: name the folder of MLflow's, mlflow/server/js/build of its wheel,"
    " with GATEWAY_UI_FOLDER. Its API is at /api."
)


@dataclass(frozen=True, slots=True)
class File:
    """A file of the pages; `tag` is its ETag."""

    path: Path
    kind: str
    tag: str
    keeping: str


@dataclass(frozen=True, slots=True)
class Files:
    """The files by their names in the folder; empty where there is none."""

    found: Mapping[str, File]

    async def index(self, request: Request) -> Response:
        """The application, which is one page."""
        return await self.answer(request, INDEX)

    async def answer(self, request: Request, name: str) -> Response:
        """A file; 304 where its reader has it, a 404 refusal where it is not among the pages."""
        file = self.found.get(name)
        if file is None:
            text = f"No such page: {request.url.path}" if self.found else NO_PAGES
            raise Refusal("ENDPOINT_NOT_FOUND", text)
        headers = {
            **APPLICATION,
            "etag": file.tag,
            "cache-control": file.keeping,
            "vary": "accept-encoding",
        }
        if _has_it(request, file.tag):
            return Response(status_code=304, headers=headers)
        if _takes_packed(request) and file.kind.startswith(_TEXT):
            headers["content-encoding"] = "gzip"
            content = await asyncio.to_thread(_packed, file.path)
        else:
            content = await asyncio.to_thread(file.path.read_bytes)
        if request.method == "HEAD":
            headers["content-length"] = str(len(content))
            content = b""
        return Response(content, headers=headers, media_type=file.kind)


def files_in(folder: str) -> Files:
    """The pages of a folder; raises SettingsError where it holds none."""
    if not folder:
        return Files({})
    root = Path(folder).resolve()
    if not (root / INDEX).is_file():
        raise SettingsError(f"GATEWAY_UI_FOLDER: {folder} has no {INDEX}")
    return Files(
        {
            path.relative_to(root).as_posix(): _file(path)
            for path in root.rglob("*")
            if path.is_file() and path.resolve().is_relative_to(root)
        }
    )


def _file(path: Path) -> File:
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    state = path.stat()
    return File(
        path=path,
        kind=kind or "application/octet-stream",
        tag=f'W/"{state.st_size:x}-{state.st_mtime_ns:x}"',
        keeping=_FOREVER if _HASHED.search(path.name) else _ASK_AGAIN,
    )


def _has_it(request: Request, tag: str) -> bool:
    shown = request.headers.get("if-none-match", "")
    return tag in (one.strip() for one in shown.split(","))


def _takes_packed(request: Request) -> bool:
    taken = request.headers.get("accept-encoding", "").split(",")
    return any(one.strip() in ("gzip", "*") for one in taken)


@lru_cache(maxsize=512)
def _packed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 6, mtime=0)
