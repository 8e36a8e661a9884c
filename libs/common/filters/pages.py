"""Page tokens: opaque to the caller, signed, and good for the search they were given for only.

A token holds the sort values of the last row of its page, so a page costs the same wherever it
lies, and rows that arrive meanwhile shift nothing. Its signature covers the tenant, the workspace
and everything that decides the rows of the search and their order; a service's replicas share the
key, which is derived from a secret that they share.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec

from libs.common.errors import Refusal, invalid

Value = int | float | str | UUID
_INT64: Final = range(-(2**63), 2**63)
_SIGNATURE: Final = 16
_LABEL: Final = b"page tokens 1"


def page_key(secret: str) -> bytes:
    """The key of a service's page tokens, from a secret of the service."""
    return hashlib.blake2b(secret.encode(), digest_size=32, person=_LABEL).digest()


@dataclass(frozen=True, slots=True)
class Page:
    """Which page is asked for, by whom: after the row that `token` holds, the first where it is ''."""

    key: bytes
    tenant_no: int
    workspace_id: int
    token: str

    def next(self, search: Sequence[object], after: Sequence[Value]) -> str:
        """The token of the page after a row with the sort values `after`.

        `search` is everything that decides the search's rows and their order.
        """
        content = msgspec.json.encode(after)
        return base64.urlsafe_b64encode(self._signature(search, content) + content).decode()

    def after(self, search: Sequence[object], kinds: Sequence[type[Value]]) -> list[Value] | None:
        """The sort values of the row before this page, None where it is the first.

        Refuses a token that was not given for this search, to this workspace, by this service.
        """
        if not self.token:
            return None
        try:
            raw = base64.b64decode(self.token, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise invalid("Invalid page token, could not base64-decode") from None
        signature, content = raw[:_SIGNATURE], raw[_SIGNATURE:]
        if not hmac.compare_digest(signature, self._signature(search, content)):
            raise _strange()
        try:
            found = msgspec.json.decode(content, type=list[int | float | str])
        except msgspec.MsgspecError:
            raise _strange() from None
        if len(found) != len(kinds):
            raise _strange()
        return [_typed(value, kind) for value, kind in zip(found, kinds, strict=True)]

    def _signature(self, search: Sequence[object], content: bytes) -> bytes:
        place = json.dumps([self.tenant_no, self.workspace_id, *search], default=repr)
        signing = hashlib.blake2b(key=self.key, digest_size=_SIGNATURE)
        signing.update(place.encode() + b"\n" + content)
        return signing.digest()


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
    return invalid("Invalid page token, it was not given by this server for this search")
