"""Checksums: what a client says of a body's bytes is compared with what came.

`Content-Digest` and `Repr-Digest` (RFC 9530), `Digest` (RFC 3230), `Content-MD5` and S3's
`x-amz-checksum-sha256` mean the same here, as bodies are taken without any coding. Algorithms
that are not known are passed over, as the RFCs have it.
"""

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from libs.common.errors import Refusal, invalid
from services.tracking.model.contents import Content

_STRUCTURED: Final = ("content-digest", "repr-digest")
# Of one header alone: its algorithm.
_PLAIN: Final[Mapping[str, str]] = {"content-md5": "md5", "x-amz-checksum-sha256": "sha-256"}
_SIZES: Final[Mapping[str, int]] = {"md5": 16, "sha-256": 32, "sha-512": 64}
_MEMBER: Final = re.compile(r"[ \t]*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):[ \t]*")

Claims = Mapping[str, bytes]


def claims_of(headers: Mapping[str, str]) -> Claims:
    """What a request says its body's checksums are, by algorithm; a refusal where it is no word."""
    said: list[tuple[str, str, str]] = []
    for header in _STRUCTURED:
        said += [(header, *member) for member in _members(header, headers.get(header, ""))]
    for item in filter(None, (item.strip() for item in headers.get("digest", "").split(","))):
        algorithm, _, value = item.partition("=")
        said.append(("digest", algorithm.lower(), value))
    for header, algorithm in _PLAIN.items():
        if header in headers:
            said.append((header, algorithm, headers[header].strip()))
    claims: dict[str, bytes] = {}
    for header, algorithm, value in said:
        if algorithm in _SIZES:
            checksum = _checksum(header, algorithm, value)
            if claims.setdefault(algorithm, checksum) != checksum:
                raise invalid(f"The request's headers name different {algorithm} checksums.")
    return claims


def _members(header: str, text: str) -> list[tuple[str, str]]:
    """The members of a dictionary of byte sequences (RFC 9651), as far as digests need it."""
    found = []
    for item in filter(None, (item.strip() for item in text.split(","))):
        member = _MEMBER.fullmatch(item)
        if member is None:
            raise _malformed(header)
        found.append((member[1], member[2]))
    return found


def _checksum(header: str, algorithm: str, value: str) -> bytes:
    try:
        checksum = base64.b64decode(value, validate=True)
    except ValueError:
        raise _malformed(header) from None
    if len(checksum) != _SIZES[algorithm]:
        raise _malformed(header)
    return checksum


def _malformed(header: str) -> Refusal:
    return invalid(f"The header {header} holds no checksum in base64.")


class Measured:
    """A body whose bytes are counted and hashed as they go by, and compared with what was said."""

    def __init__(self, chunks: AsyncIterator[bytes], claims: Claims | None = None) -> None:
        self._chunks = chunks
        self._claims = claims or {}
        self._sha256 = hashlib.sha256()
        self._size = 0
        self._others: dict[str, Any] = {
            algorithm: hashlib.new(algorithm.replace("-", ""), usedforsecurity=False)
            for algorithm in self._claims
            if algorithm != "sha-256"
        }

    async def checked(self) -> AsyncIterator[bytes]:
        """The chunks, ending in a refusal where they are not what was said."""
        async for chunk in self._chunks:
            self._size += len(chunk)
            self._sha256.update(chunk)
            for other in self._others.values():
                other.update(chunk)
            yield chunk
        for algorithm, claimed in self._claims.items():
            found = self._others.get(algorithm, self._sha256).digest()
            if found != claimed:
                raise invalid(
                    f"The body's {algorithm} is {base64.b64encode(found).decode()}, and the"
                    f" request says {base64.b64encode(claimed).decode()}: nothing was stored."
                )

    def content(self) -> Content:
        """What has gone by."""
        return Content(self._sha256.digest(), self._size)
