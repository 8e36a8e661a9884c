"""The answer that does not end: a listener's messages, sent as fast as its client reads."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from starlette.responses import Response

from libs.common.http.types import Receive, Scope, Send
from services.tracking.live.listener import Listener

_HEADERS: Final = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    # For proxies that would wait for more before they pass anything on.
    "x-accel-buffering": "no",
}


class EventStream(Response):
    """Sends what `listener` gives once `begins` has told it where it begins; refusals come first."""

    def __init__(
        self,
        listener: Listener,
        begins: Callable[[Listener], AbstractAsyncContextManager[None]],
        seconds: float,
    ) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._listener = listener
        self._begins = begins
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the listener ends, its client leaves, or its time is over."""
        scope["route_name"] = "live"
        listener = self._listener
        async with self._begins(listener):
            leaving = asyncio.create_task(_left(receive, listener.left))
            until = asyncio.get_running_loop().call_later(self._seconds, listener.end, "time")
            try:
                async with asyncio.timeout(None) as timeout:
                    listener.watched_by(timeout)
                    await self._send(send)
            except TimeoutError:
                raise ConnectionAbortedError("the listener does not read, or has left") from None
            finally:
                until.cancel()
                leaving.cancel()

    async def _send(self, send: Send) -> None:
        headers = self.raw_headers
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        while message := await self._listener.taken():
            await send({"type": "http.response.body", "body": message, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive, leave: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    leave()
