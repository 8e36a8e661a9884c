"""One listener: what waits to be sent to it, and its end."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from libs.common.service import Place
from services.tracking.live.places import written
from services.tracking.metrics import LISTENERS_ENDED

# What a listener may be behind by, in bytes and in seconds; then it is let go.
MOST_BYTES: Final = 256 * 1024
BEHIND_SECONDS: Final = 30.0
QUIET_SECONDS: Final = 10.0
_LAST_SECONDS: Final = 1.0
# After how many milliseconds a client comes back; not all of them at once.
_BACK_AFTER_MS: Final = (500, 3_000)

Insist = Callable[[], Awaitable[None]]


class Listener:
    """Takes messages at once and gives them as fast as its client reads.

    `insist` refuses as soon as its client may not listen any more. What is pushed before it is
    `started` waits for the messages that it is to begin with.
    """

    __slots__ = (
        *("_ended", "_heard_at", "_held", "_reads_at", "_size", "_timeout", "_waiting", "_woken"),
        "insist",
    )

    def __init__(self, insist: Insist) -> None:
        self.insist = insist
        self._waiting: list[bytes] = []
        self._held: list[bytes] | None = []
        self._size = 0
        self._woken = asyncio.Event()
        self._ended = False
        self._timeout: asyncio.Timeout | None = None
        self._heard_at = self._reads_at = time.monotonic()

    def push(self, message: bytes) -> None:
        """Send it when its turn comes; a client that is too far behind is dropped."""
        if self._ended:
            return
        self._size += len(message)
        (self._waiting if self._held is None else self._held).append(message)
        if self._size > MOST_BYTES:
            self._drop()
        elif self._held is None:
            self._woken.set()

    def start(self, first: list[bytes]) -> None:
        """Begin with these; however large, they are no sign of a slow client."""
        held, self._held = self._held or [], None
        self._waiting = [*first, *held]
        self._woken.set()

    def end(self, reason: str) -> None:
        """Send what waits, say when to come back, and finish."""
        if not self._ended:
            self._ended = True
            LISTENERS_ENDED.labels(reason).inc()
            self._waiting.append(f"retry: {random.randint(*_BACK_AFTER_MS)}\n\n".encode())  # noqa: S311 - spreads load
            # Who does not read is not waited for.
            self._break_off(_LAST_SECONDS)

    def left(self) -> None:
        """Its client is gone."""
        if not self._ended:
            self._ended = True
            LISTENERS_ENDED.labels("left").inc()
            self._break_off()

    def look(self, now: float, standing: Mapping[Place, int]) -> None:
        """Say where it stands where nothing was said for a while; drop who does not read."""
        if self._held is not None or self._ended:
            return
        if self._waiting and now - self._reads_at > BEHIND_SECONDS:
            self._drop()
        elif now - self._heard_at >= QUIET_SECONDS:
            # No event, but the id is kept by the client.
            self.push(f"id: {written(standing)}\n\n".encode())

    def watched_by(self, timeout: asyncio.Timeout) -> None:
        """The timeout that ends its sending at once."""
        self._timeout = timeout

    async def taken(self) -> bytes:
        """What waits, as soon as there is anything; b"" when it has ended."""
        self._reads_at = time.monotonic()
        while not self._waiting:
            if self._ended:
                return b""
            self._woken.clear()
            await self._woken.wait()
        waiting, self._waiting, self._size = self._waiting, [], 0
        self._heard_at = self._reads_at = time.monotonic()
        return waiting[0] if len(waiting) == 1 else b"".join(waiting)

    def _drop(self) -> None:
        self._ended = True
        self._waiting, self._held = [], None
        LISTENERS_ENDED.labels("slow").inc()
        self._break_off()

    def _break_off(self, seconds: float = 0.0) -> None:
        self._woken.set()
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time() + seconds)
