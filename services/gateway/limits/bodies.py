"""Bodies: how large one may be by the tenant's plan, and what makes a request the same again."""

import hashlib
from collections import deque
from collections.abc import Iterable
from typing import Final

from libs.common.contracts.plans import Plan
from libs.common.errors import Refusal, too_large
from libs.common.http.manners import declared_length
from libs.common.http.types import Message, Receive, header

# A thousand metrics in one batch are about 100 KB.
MOST_READ_AHEAD: Final = 128 * 1024
_LENGTH: Final = b"content-length"
_CHUNKED: Final = b"transfer-encoding"


def within_plan(receive: Receive, headers: Iterable[tuple[bytes, bytes]], plan: Plan) -> Receive:
    """The way in of a body that the plan bounds; a refusal 413 where it is declared too large."""
    if not plan.body_bytes:
        return receive
    declared = declared_length(header(headers, _LENGTH) or b"")
    if declared > plan.body_bytes:
        raise _too_large(plan)
    # The server itself holds a body to its declared length.
    return receive if header(headers, _CHUNKED) is None else _Counted(receive, plan)


class Recognised:
    """The way in of a request that may come again: the client repeats it byte by byte.

    Only where `identity` is asked for is anything read ahead, and only a body that is small.
    """

    __slots__ = ("_ahead", "_headers", "_name", "_receive")

    def __init__(self, receive: Receive, headers: Iterable[tuple[bytes, bytes]], name: str) -> None:
        self._receive = receive
        self._headers = headers
        self._name = name
        self._ahead: deque[Message] = deque()

    async def __call__(self) -> Message:
        """What was read ahead, then what comes."""
        return self._ahead.popleft() if self._ahead else await self._receive()

    async def identity(self) -> bytes:
        """The same bytes for the same request of the same name."""
        length = declared_length(header(self._headers, _LENGTH) or b"")
        digest = hashlib.blake2b(f"{self._name}\x00{length}\x00".encode(), digest_size=16)
        if not self._ahead and 0 < length <= MOST_READ_AHEAD:
            while not self._ahead or self._ahead[-1].get("more_body", False):
                self._ahead.append(await self._receive())
        for message in self._ahead:
            digest.update(message.get("body", b""))
        return digest.digest()


class _Counted:
    """A body without a length is counted as it comes."""

    __slots__ = ("_plan", "_receive", "_taken")

    def __init__(self, receive: Receive, plan: Plan) -> None:
        self._receive = receive
        self._plan = plan
        self._taken = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        if self._taken > self._plan.body_bytes:
            raise _too_large(self._plan)
        return message


def _too_large(plan: Plan) -> Refusal:
    return too_large(
        f"The body is larger than the {plan.body_bytes} bytes that the plan {plan.name!r} allows a"
        " request: send less at once, or ask the platform's operator for a larger plan."
    )
