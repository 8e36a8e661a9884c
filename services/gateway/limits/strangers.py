"""Credentials that nobody knows, counted by the address they come from, before auth is asked."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from libs.common.errors import Refusal
from services.gateway.addresses import vicinity

MOST_FAILURES: Final = 300
WINDOW_SECONDS: Final = 60.0
MOST_ADDRESSES: Final = 10_000


class Strangers:
    """After so many failures in a minute an address may only show what is known already.

    Only in this process, and only so many addresses: the one that failed longest ago is forgotten.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def check(self, address: str) -> None:
        """Refuse with 429 where too many credentials from there were not accepted."""
        since, count = self._failures.get(vicinity(address), (0.0, 0))
        left = since + WINDOW_SECONDS - self._clock()
        if count >= MOST_FAILURES and left > 0:
            raise Refusal(
                "RESOURCE_EXHAUSTED",
                f"More than {MOST_FAILURES} credentials from your address were refused in a minute;"
                f" others are looked at again in {int(left) + 1} s. Check what your clients send.",
                retry_after=int(left) + 1,
            )

    def failed(self, address: str) -> None:
        """A credential from there was not accepted."""
        now, key = self._clock(), vicinity(address)
        since, count = self._failures.pop(key, (now, 0))
        if since + WINDOW_SECONDS <= now:
            since, count = now, 0
        self._failures[key] = since, count + 1
        if len(self._failures) > MOST_ADDRESSES:
            self._failures.popitem(last=False)
