"""Hands a request to its service and the answer back, both bodies streamed untouched."""

import asyncio
from typing import Final

from libs.common.errors import unavailable
from libs.common.http.public_url import PUBLIC_URL_HEADER
from libs.common.http.types import ASGIApp, Message, Receive, Scope, Send, header
from libs.common.telemetry.tracing import current_traceparent
from services.gateway.headers import Headers, passed_back, passed_on
from services.gateway.metrics import SILENT_UPSTREAMS
from services.gateway.open_requests import OpenRequest, Stage

_TRACEPARENT: Final = b"traceparent"
_PUBLIC_URL: Final = PUBLIC_URL_HEADER.encode()
_LENGTH: Final = b"content-length"
_CODING: Final = b"transfer-encoding"
# What fits into the buffers on its way is gone when we have it.
_SHORT_BYTES: Final = 64 * 1024


class _Watch:
    """Ends a request whose service is silent; time that the client takes does not count.

    One timer a request looks at when the service last had its turn: moving a timer at every
    message costs more than all else that the gateway does.
    """

    __slots__ = ("_limit", "_loop", "_since", "_timer", "_with_client", "timeout")

    def __init__(self, limit: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._with_client = 0
        self._since = self._loop.time()
        self._timer = self._loop.call_later(limit, self._look)
        self.timeout = asyncio.timeout(None)

    def pause(self) -> None:
        """The client is at work: it sends, or takes what it was sent."""
        self._with_client += 1

    def resume(self) -> None:
        """The service is at work again, unless the client still has its other hand in."""
        self._with_client -= 1
        self._since = self._loop.time()

    def close(self) -> None:
        """The request is over."""
        self._timer.cancel()

    def end(self) -> None:
        """End the request now."""
        if not self.timeout.expired():
            self.timeout.reschedule(self._loop.time())

    def _look(self) -> None:
        now = self._loop.time()
        if self._with_client:
            self._since = now
        if now >= self._since + self._limit:
            self.timeout.reschedule(now)
        else:
            self._timer = self._loop.call_at(self._since + self._limit, self._look)


class _Received:
    """The request body's way in; back-pressure is the server's, which reads when we ask."""

    __slots__ = ("_receive", "_watch", "ended")

    def __init__(self, receive: Receive, watch: _Watch) -> None:
        self._receive = receive
        self._watch = watch
        self.ended = False

    async def __call__(self) -> Message:
        if self.ended:
            # A service that waits for the client to leave is not waiting for the client's work.
            return await self._receive()
        self._watch.pause()
        message = await self._receive()
        self._watch.resume()
        self.ended = not message.get("more_body", False)
        return message


class _Sent:
    """The answer's way out; the client's pace is awaited here, so nothing piles up."""

    __slots__ = ("_send", "_watch", "begun", "ended", "headers")

    def __init__(self, send: Send, watch: _Watch) -> None:
        self._send = send
        self._watch = watch
        self.begun = False
        self.ended = False
        self.headers: Headers = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            self.headers = passed_back(message.get("headers", ()))
            message = {**message, "headers": self.headers}
        elif message["type"] == "http.response.body":
            self.ended = not message.get("more_body", False)
        self._watch.pause()
        await self._send(message)
        self._watch.resume()


async def forward(
    name: str,
    upstream: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    principal: bytes | None,
    silence_seconds: float,
    request: OpenRequest,
    public_url: str = "",
) -> None:
    """Have `upstream` answer; a refusal 503 where it is away, broken off or silent too long.

    Where `request` is cut, the refusal is the one that it was cut with. The service is told
    `public_url` where there is one.
    """
    watch = _Watch(silence_seconds)
    sent, received = _Sent(send, watch), _Received(receive, watch)
    headers = _with_trace(passed_on(scope["headers"], principal))
    if public_url:
        headers = [*headers, (_PUBLIC_URL, public_url.encode("latin-1"))]
    asked = {**scope, "headers": headers}
    try:
        request.attach(end=watch.end, stage=lambda: _stage(scope, received, sent))
        async with watch.timeout:
            await upstream(asked, received, sent)
    except TimeoutError as problem:
        if request.refusal is not None:
            raise request.refusal from None
        SILENT_UPSTREAMS.labels(name).inc()
        raise unavailable(f"The {name} service is silent; try again.") from problem
    except ConnectionAbortedError:
        raise
    except OSError as problem:
        raise unavailable(f"The {name} service is away; try again.") from problem
    finally:
        watch.close()
    if not sent.begun:
        raise unavailable(f"The {name} service gave no answer; try again.")


def _stage(scope: Scope, received: _Received, sent: _Sent) -> Stage:
    """How far a request is. It has a body where one of two headers says so (RFC 9112, 6.3)."""
    if sent.begun:
        length = header(sent.headers, _LENGTH)
        return "ends" if length is not None and int(length) <= _SHORT_BYTES else "streams"
    bodiless = header(scope["headers"], _LENGTH) in (None, b"0")
    bodiless = bodiless and header(scope["headers"], _CODING) is None
    return "waits" if received.ended or bodiless else "streams"


def _with_trace(headers: Headers) -> Headers:
    """The headers with the gateway's own span as the parent, where traces are on."""
    trace = current_traceparent()
    if not trace:
        return headers
    kept = [pair for pair in headers if pair[0] != _TRACEPARENT]
    return [*kept, (_TRACEPARENT, trace.encode())]
