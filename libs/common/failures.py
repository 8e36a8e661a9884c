"""Failures counted by key in windows of a minute, so that guessing is slowed; bounded memory."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

WINDOW_SECONDS: Final = 60.0
MOST_KEYS: Final = 20_000


class Failures:
    """How often something failed lately: a key's window begins with its first failure.

    When more keys fail than are kept, the one whose window began first is forgotten.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def count(self, key: Hashable) -> int:
        """The failures in the key's window."""
        began, failed = self._windows.get(key, (0.0, 0))
        return failed if failed and self._clock() < began + WINDOW_SECONDS else 0

    def seconds_left(self, key: Hashable) -> int:
        """Whole seconds, at least one, until the key's window is over."""
        began, failed = self._windows.get(key, (0.0, 0))
        left = began + WINDOW_SECONDS - self._clock() if failed else 0.0
        return max(1, int(left) + 1)

    def add(self, key: Hashable) -> None:
        """Note a failure."""
        failed = self.count(key)
        if failed:
            self._windows[key] = self._windows[key][0], failed + 1
            return
        self._windows[key] = self._clock(), 1
        self._windows.move_to_end(key)
        if len(self._windows) > MOST_KEYS:
            self._windows.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        """It has succeeded."""
        self._windows.pop(key, None)

    def __len__(self) -> int:
        return len(self._windows)
