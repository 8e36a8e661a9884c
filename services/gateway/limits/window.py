"""A sliding window in memory: what was given in the last second, in slots of 20 ms."""

from collections import deque
from typing import Final, NamedTuple

WINDOW_SECONDS: Final = 1.0
SLOT_SECONDS: Final = 0.02


class Given(NamedTuple):
    """What a window gave: `granted` of what was asked, what is `free` after that, and, where
    nothing was given, after how many seconds there may be something; `slot` is where it counts.
    """

    granted: int
    free: int
    wait: float
    slot: int


class Window:
    """Never gives more than a limit in any second.

    A slot counts until a second after its own end, so what it holds is forgotten up to 20 ms late
    and never early.
    """

    __slots__ = ("_slots", "_used")

    def __init__(self) -> None:
        self._slots: deque[list[int]] = deque()
        self._used = 0

    def take(self, now: float, limit: int, wanted: int) -> Given:
        """Up to `wanted` of what `limit` leaves at `now`, in seconds of a clock that only rises."""
        while self._slots and _ends(self._slots[0][0]) <= now:
            self._used -= self._slots.popleft()[1]
        granted = max(0, min(wanted, limit - self._used))
        slot = int(now / SLOT_SECONDS)
        if granted:
            if not self._slots or self._slots[-1][0] != slot:
                self._slots.append([slot, 0])
            self._slots[-1][1] += granted
            self._used += granted
        wait = 0.0 if granted or not self._slots else _ends(self._slots[0][0]) - now
        return Given(granted, max(0, limit - self._used), wait, slot)

    def give_back(self, slot: int, count: int) -> None:
        """What was given in `slot` and has not been used."""
        for held in self._slots:
            if held[0] == slot:
                taken = min(count, held[1])
                held[1] -= taken
                self._used -= taken
                return

    @property
    def used(self) -> int:
        """What was given and had not been forgotten when the window was last asked."""
        return self._used


def _ends(slot: int) -> float:
    return (slot + 1) * SLOT_SECONDS + WINDOW_SECONDS
