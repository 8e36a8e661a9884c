"""Whose messages are ingested: told where consumption is behind, so that one who floods is known."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

WINDOW_SECONDS: Final = 10.0
# Less is a restart, or a burst that passes.
BEHIND_SECONDS: Final = 10.0
_MOST_NAMED: Final = 3


class Behind(NamedTuple):
    """How far consumption is behind, and the tenants that most of a window's bytes are of."""

    seconds: int
    percent: dict[str, int]


class Shares:
    """The bytes of each tenant's messages in the present window."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._now = now
        self._since = clock()
        self._bytes: Counter[str] = Counter()

    def add(self, tenant: str, size: int) -> None:
        """A message of a tenant was settled."""
        self._bytes[tenant] += size

    def told(self, oldest: int) -> Behind | None:
        """At a window's end, whose its bytes were, where the oldest message waited for long.

        `oldest` is when the broker took that message, in milliseconds since 1970.
        """
        if self._clock() < self._since + WINDOW_SECONDS:
            return None
        whole, most = self._bytes.total(), self._bytes.most_common(_MOST_NAMED)
        self._bytes.clear()
        self._since = self._clock()
        seconds = self._now() - oldest / 1000
        if seconds < BEHIND_SECONDS or not whole:
            return None
        return Behind(int(seconds), {tenant: 100 * size // whole for tenant, size in most})
