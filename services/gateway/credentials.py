"""The credential a request presents: found in its headers, and named in a refusal."""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from libs.common.errors import Refusal, unauthenticated

_LABEL: Final = b"maestro presented credential\x00"
_LONGEST: Final = 4096

NOTHING_CAME: Final = (
    "No credential came with this request. Set MLFLOW_TRACKING_TOKEN to a Maestro token, or give a"
    " token as the password of MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD."
)
_WHERE_IT_CAME_FROM: Final = {
    "Bearer": "A Bearer token came (MLFLOW_TRACKING_TOKEN)",
    "Basic": (
        "Basic credentials came (MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or"
        " ~/.mlflow/credentials; the mlflow client prefers them to MLFLOW_TRACKING_TOKEN)"
    ),
}


class Rejected(Exception):
    """auth does not accept a credential; the message tells its holder why."""


class WorkspaceRejected(Rejected):
    """The credential is good, but not for the workspace that the request names."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A credential as it came: how (`Bearer`, `Basic`) and the token itself.

    `workspace` is the one that the request names, '' for the credential's own.
    """

    scheme: str
    secret: str
    workspace: str = ""

    def key(self) -> bytes:
        """What the credential is remembered by in memory: a digest, never the token."""
        return hashlib.sha256(_LABEL + self.bound()).digest()

    def bound(self) -> bytes:
        """The token and the workspace as one: what is known of one is not known of another."""
        # No header holds a NUL, so that nothing else is spelt the same.
        return f"{self.secret}\x00{self.workspace}".encode()

    def refusal(self, reason: str) -> Refusal:
        """A 401 that says which credential came and what is wrong with it."""
        return unauthenticated(f"{_WHERE_IT_CAME_FROM[self.scheme]}, and was refused: {reason}.")


def presented(headers: Iterable[tuple[bytes, bytes]]) -> Presented:
    """The credential in a request's headers; raises a 401 refusal where there is none to use."""
    found = [value for name, value in headers if name == b"authorization"]
    if not found:
        raise unauthenticated(NOTHING_CAME)
    if len(found) > 1:
        raise unauthenticated("Several Authorization headers came; send exactly one.")
    if len(found[0]) > _LONGEST:
        raise unauthenticated("The Authorization header is too long to hold a Maestro token.")
    scheme, _, rest = found[0].strip().partition(b" ")
    kind = scheme.lower()
    if kind == b"bearer":
        return _given("Bearer", rest.strip())
    if kind == b"basic":
        return _given("Basic", _password(rest.strip()))
    raise unauthenticated(
        f"The scheme {_printable(scheme)} of the Authorization header is not one that Maestro"
        " takes: send Bearer, or Basic with a token as the password."
    )


def _given(scheme: str, secret: bytes) -> Presented:
    try:
        text = secret.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise Presented(scheme, "").refusal("it is empty, or holds no token")
    return Presented(scheme, text)


def _password(encoded: bytes) -> bytes:
    try:
        user_and_password = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise Presented("Basic", "").refusal("they are not base64") from None
    return user_and_password.partition(b":")[2]


def _printable(scheme: bytes) -> str:
    word = "".join(chr(byte) for byte in scheme[:20] if chr(byte).isalnum() and byte < 128)
    return repr(word)
