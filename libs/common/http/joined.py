"""A transport that sends the head and the body of a short answer in one piece.

uvicorn writes them one after the other, and uvloop sends each at once: two system calls here, and
two packets that wake the client twice.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

# More than this is no answer that is written at once, and goes on as it comes.
MOST_HELD: Final = 32 * 1024


class JoinedWrites:
    """Stands before a transport; what is written in one turn of the event loop leaves at its end.

    `lingers` is asked once, when it is to be closed: where that says so, it stays open until it is
    closed again, and counts as closing meanwhile.
    """

    __slots__ = ("_closing", "_held", "_lingers", "_loop", "_size", "_transport")

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        lingers: Callable[[], bool],
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._lingers = lingers
        self._closing = False
        self._held: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether nothing more is read or written."""
        return self._closing or self._transport.is_closing()

    def write(self, data: bytes) -> None:
        """Send soon; at once where it is much."""
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)
        self._size += len(data)
        if self._size > MOST_HELD:
            self._flush()

    def close(self) -> None:
        """Close once all that was written is sent."""
        self._flush()
        lingers = not self.is_closing() and self._lingers()
        self._closing = True
        if not lingers:
            self._transport.close()

    def _flush(self) -> None:
        held, self._held, self._size = self._held, [], 0
        # The client may have gone since.
        if held and not self.is_closing():
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))
