"""Passes: with which a producer outside the platform proves whom its messages speak for.

A pass says whose it is under an authentication code of ours, and is no secret: it lies in every
message. Its secret is told once, over HTTP, and signs the messages; it is derived from the pass, so
that nothing is stored. All processes of tracking derive alike.
"""

import base64
import binascii
import hashlib
import hmac
from collections import OrderedDict
from typing import Final

import msgspec

from libs.common.principal import Principal

LIFETIME_SECONDS: Final = 12 * 3600
MOST_REMEMBERED: Final = 10_000
_LONGEST: Final = 8_192
_LABEL: Final = b"maestro ingest passes v1"


class Pass(msgspec.Struct, frozen=True):
    """Whom a message speaks for; `actor` is the credential it was given to, times are seconds."""

    tenant: str
    tenant_no: int
    workspace_id: int
    subject: str
    actor: str
    scopes: tuple[str, ...]
    epoch: int
    issued_at: int
    expires_at: int

    def principal(self, audience: str) -> Principal:
        """The principal of the pass, without rights yet."""
        return Principal(
            tenant=self.tenant,
            tenant_no=self.tenant_no,
            workspace_id=self.workspace_id,
            subject=self.subject,
            actor=self.actor,
            scopes=self.scopes,
            audience=audience,
            epoch=self.epoch,
            expires_at=self.expires_at,
            token="",
        )


def pass_of(principal: Principal, now: int) -> Pass:
    """A new pass: for half a day, and never longer than the credential that asks for it."""
    ends = now + LIFETIME_SECONDS
    return Pass(
        tenant=principal.tenant,
        tenant_no=principal.tenant_no,
        workspace_id=principal.workspace_id,
        subject=principal.subject,
        actor=principal.actor,
        scopes=principal.scopes,
        epoch=principal.epoch,
        issued_at=now,
        expires_at=min(ends, principal.credential_ends or ends),
    )


class PassSeal:
    """Makes passes and believes those that it made; `secret` is the service's own."""

    def __init__(self, secret: str) -> None:
        self._key = hmac.digest(secret.encode(), _LABEL, hashlib.sha256)
        # A producer sends the same pass with each message.
        self._known: OrderedDict[bytes, tuple[Pass, bytes]] = OrderedDict()

    def sealed(self, granted: Pass) -> tuple[str, str]:
        """A pass as it travels, and its secret."""
        text = base64.urlsafe_b64encode(msgspec.json.encode(granted)).decode().rstrip("=")
        whole = f"{text}.{self._code('pass', text.encode())}"
        return whole, self._code("secret", whole.encode())

    def opened(self, given: bytes) -> tuple[Pass, bytes] | None:
        """The pass that travelled and its secret; None where it is none of ours."""
        known = self._known.get(given)
        if known is None:
            known = self._open(given)
            if known is None:
                return None
            self._known[given] = known
            if len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        return known

    def arrival(self, arrived: int, signature: bytes) -> bytes:
        """A stamp for a message that is put aside: when it came first, whenever it is put back."""
        told = f"{arrived}.".encode()
        return told + self._code("arrival", told + signature).encode()

    def arrived(self, stamp: bytes, signature: bytes) -> int | None:
        """When a stamped message came first; None where the stamp is none of ours."""
        told, dot, _ = stamp.partition(b".")
        if not dot or not told.isdigit() or len(told) > 15:
            return None
        arrived = int(told)
        return arrived if hmac.compare_digest(stamp, self.arrival(arrived, signature)) else None

    def _open(self, given: bytes) -> tuple[Pass, bytes] | None:
        text, _, code = given.rpartition(b".")
        if len(given) > _LONGEST or not hmac.compare_digest(
            code, self._code("pass", text).encode()
        ):
            return None
        try:
            padded = text + b"=" * (-len(text) % 4)
            granted = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=Pass)
        except (binascii.Error, ValueError):
            return None
        return granted, self._code("secret", given).encode()

    def _code(self, purpose: str, text: bytes) -> str:
        return hmac.digest(self._key, purpose.encode() + b"\n" + text, hashlib.sha256).hex()


def signature(
    secret: bytes, event_id: bytes, kind: bytes, key: bytes, form: bytes, body: bytes
) -> str:
    """What the holder of a pass's secret writes under a message: its `ce_id`, `ce_type`, key,
    `content-type` and body, a line each.
    """
    told = b"\n".join((event_id, kind, key, form, body))
    return hmac.digest(secret, told, hashlib.sha256).hex()
