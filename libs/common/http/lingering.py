"""The end of a connection whose client may still be sending: it gets the time to read its answer.

A socket that is closed while something is unread resets its connection, and a client that is told
so while it sends does not look for the answer that came before. So our side is closed, what still
comes is read and dropped for a while, and then the rest is closed too; nginx calls it
`lingering_close`, RFC 9112, 9.6 recommends it.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

LINGER_SECONDS: Final = 30.0
# Between two reads: who sends nothing for so long has stopped, and has had time to read.
IDLE_SECONDS: Final = 5.0
# What one request of the smallest plan may send.
LINGER_BYTES: Final = 256 * 1024 * 1024


class Line(Protocol):
    """What is asked of a transport."""

    def can_write_eof(self) -> bool: ...
    def write_eof(self) -> None: ...


class Lingering:
    """Counts what is dropped, and calls `close` when it is enough or nothing more comes."""

    __slots__ = ("_close", "_ends_at", "_heard_at", "_left", "_loop", "_timer")

    def __init__(
        self, line: Line, loop: asyncio.AbstractEventLoop, close: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._close = close
        self._left = LINGER_BYTES
        self._heard_at = loop.time()
        self._ends_at = self._heard_at + LINGER_SECONDS
        self._timer = loop.call_later(IDLE_SECONDS, self._look)
        if line.can_write_eof():
            line.write_eof()

    def dropped(self, size: int) -> None:
        """So many bytes came and were dropped."""
        self._left -= size
        self._heard_at = self._loop.time()
        if self._left < 0:
            self._close()

    def end(self) -> None:
        """The connection is gone."""
        self._timer.cancel()

    def _look(self) -> None:
        due = min(self._heard_at + IDLE_SECONDS, self._ends_at)
        if self._loop.time() >= due:
            self._close()
        else:
            self._timer = self._loop.call_at(due, self._look)
