"""The credential a request presents: found in its headers, and named in a refusal."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from libs.common.errors import Refusal, unauthenticated

_TOKEN_LABEL: Final = b"maestro presented credential\x00"
_LOGIN_LABEL: Final = b"maestro presented password\x00"
# How tokens begin, of whatever kind; auth lets nobody choose a password like it.
_TOKEN: Final = re.compile(r"ms[a-z]_")
_SESSION: Final = re.compile(r"ms[sl]_")
_LONGEST: Final = 4096

NOTHING_CAME: Final = (
    "No credential came with this request. Set MLFLOW_TRACKING_TOKEN to a Maestro token, or set"
    " MLFLOW_TRACKING_USERNAME to tenant/login and MLFLOW_TRACKING_PASSWORD to your password; a token"
    " is taken as the password too, whatever the user name."
)
_WHERE_IT_CAME_FROM: Final = {
    "Bearer": "A Bearer token came (MLFLOW_TRACKING_TOKEN)",
    "Session": "The session of the web pages came, as a cookie",
    "Form": "What was typed in was looked at",
    "Basic": (
        "Basic credentials came (MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or"
        " ~/.mlflow/credentials; the mlflow client prefers them to MLFLOW_TRACKING_TOKEN)"
    ),
}


class Rejected(Exception):
    """auth does not accept a credential; the message tells its holder why."""


class WorkspaceRejected(Rejected):
    """The credential is good, but not for the workspace that the request names."""


class AddressRejected(Rejected):
    """The credential is good, but not from the address that the request comes from."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A credential as it came: how (`Bearer`, `Basic`, as a `Session`, in a `Form`), and the token
    or password itself.

    `user` is the user name before a password, None with a token, whose user name says nothing.
    `address` is where it came from, `workspace` the one that the request names, '' for the
    credential's own.
    """

    scheme: str
    secret: str = field(repr=False)
    user: str | None = None
    address: str = ""
    workspace: str = ""

    def key(self, pepper: bytes = b"") -> bytes:
        """What the credential is remembered by in memory: a digest, never itself.

        With a password, which can be guessed, the `pepper` of this process keeps the digest from
        being of use to anybody else.
        """
        label = _TOKEN_LABEL if self.user is None else _LOGIN_LABEL
        return hashlib.blake2b(label + self.bound(), digest_size=32, key=pepper).digest()

    def bound(self) -> bytes:
        """The credential and the workspace as one: what is known of one is not known of another."""
        shown = [self.secret] if self.user is None else [self.user, self.secret]
        parts = [part.encode() for part in (*shown, self.workspace)]
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)

    def refusal(self, reason: str) -> Refusal:
        """A 401 that says which credential came and what is wrong with it."""
        return unauthenticated(f"{_WHERE_IT_CAME_FROM[self.scheme]}, and was refused: {reason}.")


def of_session(session: str, address: str = "") -> Presented:
    """A session of the web pages as a credential."""
    return Presented("Session", session, address=address)


def typed_in(user: str, secret: str, address: str = "") -> Presented:
    """What somebody signs in with: a token, or a user name and password; 401 where it is neither."""
    if _SESSION.match(secret) or not secret:
        raise unauthenticated("Give a token, or a user name and a password.")
    if _TOKEN.match(secret) or not user:
        return Presented("Form", secret, address=address)
    return Presented("Form", secret, user, address)


def presented(headers: Iterable[tuple[bytes, bytes]], address: str = "") -> Presented:
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
        return _token("Bearer", rest.strip(), address)
    if kind == b"basic":
        return _basic(rest.strip(), address)
    raise unauthenticated(
        f"The scheme {_printable(scheme)} of the Authorization header is not one that Maestro"
        " takes: send Bearer with a token, or Basic with tenant/login and a password."
    )


def _token(scheme: str, secret: bytes, address: str) -> Presented:
    try:
        text = secret.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if not text:
        raise Presented(scheme, "").refusal("it is empty, or holds no token")
    if _SESSION.match(text):
        raise Presented(scheme, "").refusal("a session of the web pages counts as a cookie alone")
    return Presented(scheme, text, address=address)


def _basic(encoded: bytes, address: str) -> Presented:
    try:
        user, _, secret = base64.b64decode(encoded, validate=True).partition(b":")
    except binascii.Error:
        raise Presented("Basic", "").refusal("they are not base64") from None
    password = _text(secret)
    if not password:
        raise Presented("Basic", "").refusal("the password is empty")
    if _TOKEN.match(password):
        return _token("Basic", secret, address)
    return Presented("Basic", password, _text(user), address)


def _text(raw: bytes) -> str:
    """User name or password: UTF-8 from browsers and curl, Latin-1 from Python's requests."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _printable(scheme: bytes) -> str:
    word = "".join(chr(byte) for byte in scheme[:20] if chr(byte).isalnum() and byte < 128)
    return repr(word)
