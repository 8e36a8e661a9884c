"""The capability of a part's URL: who holds it may send this one part of this one upload, for a while.

An HMAC under a key that all processes of tracking derive alike, so that a forged one is refused
before anything is looked up. It travels in a header and not in the URL, which proxies write down.
"""

import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from libs.common.errors import Refusal, denied

LIFETIME_SECONDS: Final = 3600
_LABEL: Final = b"maestro parts of artifact uploads v1"


@dataclass(frozen=True, slots=True)
class Capability:
    """One part of one upload of one tenant, until then (seconds since 1970)."""

    tenant_no: int
    upload_id: UUID
    part_number: int
    until: int


class Seal:
    """Makes capabilities and believes those that it made; `secret` is the service's own."""

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._key = hmac.digest(secret.encode(), _LABEL, hashlib.sha256)
        self._clock = clock

    def until(self) -> int:
        """When a capability that is made now ends."""
        return int(self._clock()) + LIFETIME_SECONDS

    def sealed(self, capability: Capability) -> str:
        """A capability as it travels."""
        text = _text(capability)
        return f"{text}.{self._mark(text)}"

    def opened(self, given: str) -> Capability:
        """The capability that travelled; a refusal 403 where it is none of ours or has ended."""
        text, _, mark = given.rpartition(".")
        if not hmac.compare_digest(mark.encode(), self._mark(text).encode()):
            raise _refused()
        tenant_no, upload_id, part_number, until = text.split(".")
        capability = Capability(int(tenant_no), UUID(upload_id), int(part_number), int(until))
        if capability.until < self._clock():
            raise _refused()
        return capability

    def _mark(self, text: str) -> str:
        return hmac.digest(self._key, text.encode(), hashlib.sha256).hex()


def _text(capability: Capability) -> str:
    upload_id = capability.upload_id.hex
    return f"{capability.tenant_no}.{upload_id}.{capability.part_number}.{capability.until}"


def _refused() -> Refusal:
    return denied(
        "This part of an upload may not be sent, or not any more: begin the upload again, and send"
        " the headers that mpu/create names with each part's URL."
    )
