"""Page tokens: opaque to the caller, and good for the query they were given for only.

A token holds the sort values of the last row of its page, so a page costs the same wherever it
lies, and rows that arrive meanwhile shift nothing.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from libs.common.errors import Refusal, invalid

Value = int | float | str | UUID
_INT64: Final = range(-(2**63), 2**63)
_DIGEST_LENGTH: Final = 12


def fingerprint(*parts: object) -> str:
    """What a query is recognised by: everything that decides its rows and their order."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=_DIGEST_LENGTH).hexdigest()


def page_token(query: str, after: Sequence[Value]) -> str:
    """The token of the page after a row with the sort values `after`."""
    return base64.urlsafe_b64encode(msgspec.json.encode([query, *after])).decode()


def after_page(token: str, query: str, kinds: Sequence[type[Value]]) -> list[Value]:
    """The sort values in a token; refuses a malformed one, and one of another query."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Invalid page token, could not base64-decode") from None
    try:
        found = msgspec.json.decode(raw, type=list[int | float | str])
    except msgspec.MsgspecError:
        raise _strange() from None
    if not found or found[0] != query or len(found) != len(kinds) + 1:
        raise invalid("Invalid page token, it was given for another query")
    return [_typed(value, kind) for value, kind in zip(found[1:], kinds, strict=True)]


def _typed(value: float | str, kind: type[Value]) -> Value:
    try:
        if kind is UUID:
            return UUID(str(value))
        if kind is float:
            return float(value)
    except ValueError:
        raise _strange() from None
    if not isinstance(value, kind) or (isinstance(value, int) and value not in _INT64):
        raise _strange()
    return value


def _strange() -> Refusal:
    return invalid("Invalid page token, it was not given by this server")
