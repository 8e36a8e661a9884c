"""How an artifact's bytes go out: as an attachment of a harmless kind, whole or a range of it."""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from mimetypes import MimeTypes
from typing import Final
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from services.tracking.artifacts.objects import ArtifactStore, Found
from services.tracking.model.contents import Content

# What MLflow shows as plain text, whatever a table of types says.
TEXT_ENDINGS: Final = frozenset(
    {"txt", "log", "err", "cfg", "conf", "cnf", "cf", "ini", "properties", "prop", "hocon", "toml"}
    | {"yaml", "yml", "xml", "json", "js", "py", "py3", "csv", "tsv", "md", "rst", "ipynb"}
    | {"MLmodel", "mlproject"}
)
BINARY: Final = "application/octet-stream"
# An artifact is somebody's upload: a browser stores it, and runs nothing of it under our name.
SAFE_HEADERS: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
    "cache-control": "private, no-cache",
    "accept-ranges": "bytes",
}
_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$&+.^_`|~-]+")


def serve(
    store: ArtifactStore,
    found: Found,
    content: Content,
    name: str,
    headers: Mapping[str, str],
    *,
    bare: bool = False,
) -> Response:
    """The answer to a GET of a found object that the client knows as `name`; `bare` to a HEAD."""
    answer = {
        **told_of(content),
        "content-type": content_type(name),
        "content-disposition": attachment(name),
    }
    span = wanted_range(headers, content)
    if span is None:
        start, end, status = 0, content.size, 200
    else:
        start, end = span
        if start >= end:
            answer["content-range"] = f"bytes */{content.size}"
            return Response(status_code=416, headers={**answer, "content-length": "0"})
        answer["content-range"] = f"bytes {start}-{end - 1}/{content.size}"
        status = 206
    answer["content-length"] = str(end - start)
    if bare:
        return Response(status_code=status, headers=answer)
    return StreamingResponse(store.read(found, start, end), status_code=status, headers=answer)


def told_of(content: Content) -> dict[str, str]:
    """What every answer about a content says of it."""
    return {**SAFE_HEADERS, "etag": content.tag, "repr-digest": content.digest}


def has_it(headers: Mapping[str, str], content: Content) -> bool:
    """Whether the client says that it holds this content already (RFC 9110, 13.1.2)."""
    known = {tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")}
    return content.tag in known or known == {"*"}


def wanted_range(headers: Mapping[str, str], content: Content) -> tuple[int, int] | None:
    """The one range that is asked for, empty when it cannot be met; None for the whole object.

    RFC 9110, 14.2: several ranges, other units and a stale If-Range may be answered whole.
    """
    asked = _RANGE.fullmatch(headers.get("range", "").replace(" ", ""))
    if asked is None or headers.get("if-range", content.tag) != content.tag:
        return None
    size = content.size
    first, last = asked.groups()
    if not first:
        return (max(0, size - int(last)), size) if last else None
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size


def content_type(name: str) -> str:
    """The type of a file by its name, as MLflow guesses it, octets when there is none.

    No artifact is a script: a page of ours could be made to run it.
    """
    ending = name.rpartition(".")[2]
    if ending in TEXT_ENDINGS:
        return "text/plain"
    guessed = _types().guess_type(f"./{name}")[0] or BINARY
    return "text/plain" if "javascript" in guessed or "ecmascript" in guessed else guessed


@cache
def _types() -> MimeTypes:
    # A table of our own: that of the machine would make the answer differ from place to place.
    return MimeTypes()


def attachment(name: str) -> str:
    """The Content-Disposition of a download (RFC 6266, RFC 8187)."""
    if _TOKEN.fullmatch(name):
        return f"attachment; filename={name}"
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode() or "download"
    quoted = plain.replace("\\", "\\\\").replace('"', '\\"')
    if plain == name:
        return f'attachment; filename="{quoted}"'
    return f"attachment; filename=\"{quoted}\"; filename*=UTF-8''{quote(name, safe='!#$&+-.^_`|~')}"
