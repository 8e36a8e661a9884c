"""The streams of live events under way: whether each may go on, and how they end.

A request is admitted once and is soon over; a stream lasts for hours. So its credential is looked
at again and again, as if it had just come: what has ended without a word ends the stream too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from libs.common.errors import Refusal, unavailable
from libs.common.http.types import Message, Send
from services.gateway.credentials import Presented
from services.gateway.exchange import Passport
from services.gateway.open_requests import OpenRequest

LOOK_SECONDS: Final = 5.0
_AT_ONCE: Final = 200
_GOODBYE: Final = b"retry: 1000\n\n"


class Listeners:
    """Those who listen through this gateway; `passport` admits a credential or refuses it."""

    def __init__(self, passport: Callable[[Presented], Awaitable[Passport]]) -> None:
        self._passport = passport
        self._open: dict[OpenRequest, Presented] = {}

    @contextmanager
    def entered(self, request: OpenRequest, presented: Presented) -> Iterator[None]:
        """A stream for as long as the block lasts."""
        self._open[request] = presented
        try:
            yield
        finally:
            self._open.pop(request, None)

    async def look(self) -> None:
        """Renew every stream's passport; one whose credential is refused by now is cut.

        Where nobody can say for a minute whether it is still good, it is refused too.
        """
        looked_at = list(self._open.items())
        for first in range(0, len(looked_at), _AT_ONCE):
            await asyncio.gather(
                *(self._look_at(*one) for one in looked_at[first : first + _AT_ONCE])
            )

    async def _look_at(self, request: OpenRequest, presented: Presented) -> None:
        try:
            request.passport = await self._passport(presented)
        except Refusal as refusal:
            request.cut(refusal)

    def end_all(self) -> None:
        """The process is to end: everybody is sent away, to come back to another."""
        for request in list(self._open):
            request.cut(unavailable("The gateway is about to end; come back."))


class LastWord:
    """The way out of a stream, which the gateway itself can finish properly."""

    __slots__ = ("_ended", "_send", "begun")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._ended = False
        self.begun = False

    async def __call__(self, message: Message) -> None:
        """Pass on what the service sends."""
        if message["type"] == "http.response.start":
            self.begun = True
        else:
            self._ended = not message.get("more_body", False)
        await self._send(message)

    async def goodbye(self) -> None:
        """Say when to come back, and finish."""
        if not self._ended:
            await self({"type": "http.response.body", "body": _GOODBYE})
