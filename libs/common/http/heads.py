"""Limits on a request's head: how long it may take, how large it may be, and what it may ask for.

uvicorn's httptools protocol waits for ever for the end of a head, and keeps all that comes of it.
"""

import asyncio
from http import HTTPStatus
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from libs.common.http.joined import JoinedWrites
from libs.common.http.lingering import Lingering

HEAD_SECONDS: Final = 20.0
HEAD_BYTES: Final = 64 * 1024
_SEPARATORS: Final = 4  # ": " and the line's end


class _TooLarge(Exception):
    """Ends the parser's work on a head that came whole and is too large."""


class _Ambiguous(Exception):
    """Ends the parser's work on a target that would be cut where its sender did not mean to."""


class LimitedHeads(HttpToolsProtocol):
    """uvicorn's protocol that closes on a head which is late and answers 431 to a large one.

    The time begins with the connection, later with a head's first byte, and counts only while
    no answer is under way: what comes then waits for us. Between requests uvicorn's own limit of
    idle connections holds. What comes during a body and is none of it (trailers, frames of chunks)
    is bounded as a head is. A connection that is closed after an answer while its client may still
    be sending lingers.
    """

    head_seconds = HEAD_SECONDS
    head_bytes = HEAD_BYTES

    _timer: asyncio.TimerHandle | None = None
    _outside = 0  # bytes since the last of a body or of a whole message, at most
    _in_body = False
    _message_ended = False
    _refused = False
    _gave_up = False  # the parser did, and an answer says so
    _lingering: Lingering | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection: its first head is awaited."""
        line = JoinedWrites(transport, self.loop, self._lingers)
        super().connection_made(line)  # type: ignore[arg-type]
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, and its timer with it."""
        self._head_came()
        if self._lingering is not None:
            self._lingering.end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Let uvicorn read, then look at what is still unfinished."""
        if self._refused:
            if self._lingering is not None:
                self._lingering.dropped(len(data))
            return
        self._outside += len(data)
        self._message_ended = False
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._message_ended:
            # How much of this belongs to a next head is not known: it is let off one read.
            self._outside = 0
        elif self._outside > self.head_bytes:
            self._refuse()
            return
        if self._expects_head():
            self._await_head()
        elif self.cycle.response_complete and self.timeout_keep_alive_task is None:
            # Answered before its end, and uvicorn ends its own limit with the next byte.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_headers_complete(self) -> None:
        """A head is whole: too large a one goes no further."""
        # The sum is taken only where it could pass the limit.
        if self._outside > self.head_bytes and self._size() > self.head_bytes:
            raise _TooLarge
        # A fragment is never sent: what looks like one is a name that was not encoded, and to drop
        # it would be to delete `a` where `a#b` was meant.
        if b"#" in self.url:
            raise _Ambiguous
        self._head_came()
        self._in_body = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Bytes of the body are the body's own limits' matter."""
        self._outside = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole; the next byte begins another head."""
        self._in_body = False
        self._message_ended = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What the parser gave up: a head that is too large, or nonsense."""
        if not self._in_body and self._outside > self.head_bytes:
            self._refuse()
        else:
            self._gave_up = not self._answering()
            super().send_400_response(msg)

    def _size(self) -> int:
        return len(self.url) + sum(len(n) + len(v) + _SEPARATORS for n, v in self.headers)

    def _expects_head(self) -> bool:
        """A head has begun, or what came were blank lines before one."""
        if self._in_body:
            return False
        return not self._message_ended or self.scope is not self.cycle.scope

    def _await_head(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.head_seconds, self._late)

    def _head_came(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self._answering():
            self._await_head()
        else:
            self.transport.close()

    def _refuse(self) -> None:
        """431; where an answer is under way that one is still given, and then it is over."""
        self._refused = True
        self._head_came()
        if self._in_body:
            self.transport.close()
        elif self._answering():
            self.cycle.keep_alive = False
        else:
            self._gave_up = True
            self.transport.write(_answer(self.head_bytes))
            self.transport.close()

    def _lingers(self) -> bool:
        """Linger where the connection's last answer is out and not all was read of its request."""
        last = self._in_body and self.cycle.response_complete and not self.cycle.keep_alive
        if not last and not self._gave_up:
            return False
        self._refused = True
        self._head_came()
        self._lingering = Lingering(self.transport, self.loop, self.transport.close)
        self.flow.resume_reading()
        return True

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete


def _answer(limit: int) -> bytes:
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    body = f"The request's line and headers are larger than {limit} bytes; send fewer.".encode()
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "content-type: text/plain; charset=utf-8\r\n"
        f"content-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    ).encode() + body
