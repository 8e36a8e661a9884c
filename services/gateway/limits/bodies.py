"""How large a request's body may be: as the tenant's plan says."""

from collections.abc import Iterable
from typing import Final

from libs.common.contracts.plans import Plan
from libs.common.errors import Refusal, too_large
from libs.common.http.manners import declared_length
from libs.common.http.types import Message, Receive
from services.gateway.headers import header

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
