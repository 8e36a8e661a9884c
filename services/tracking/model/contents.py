"""A content: the bytes that files hold, known by their SHA-256 and size."""

import base64
from dataclasses import dataclass

from libs.common.errors import Refusal, invalid


@dataclass(frozen=True, slots=True)
class Content:
    """Some bytes, whatever the paths that hold them."""

    sha256: bytes
    size: int

    @property
    def tag(self) -> str:
        """The entity tag (RFC 9110, 8.8.3): the same for the same bytes, wherever they lie."""
        return f'"{self.sha256.hex()}"'

    @property
    def digest(self) -> str:
        """The value of Repr-Digest (RFC 9530)."""
        return f"sha-256=:{base64.b64encode(self.sha256).decode()}:"


@dataclass(frozen=True, slots=True)
class Stored:
    """A content and the key of the object with its bytes."""

    content: Content
    key: str


def damaged(path: str) -> Refusal:
    """The store has lost the bytes of a file, or some of them: asking again does not help."""
    return Refusal(
        "RESOURCE_CONFLICT",
        f"The artifact store does not hold the bytes of {path!r} as they were stored. Upload the"
        " file again, or have the platform's operator restore the store.",
    )


def both_file_and_folder() -> Refusal:
    """A name that would be a file and a folder."""
    return invalid("Invalid path: an artifact cannot be both a file and a directory.")
