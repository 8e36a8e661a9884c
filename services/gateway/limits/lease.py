"""A lease: the allowance of one key that this process may spend in the next tenth of a second."""

import math
from asyncio import Task
from typing import Final

from services.gateway.limits.shared import Want
from services.gateway.limits.window import Given, Window

LEASE_SECONDS: Final = 0.1
# After this long without a question nothing of a lease matters any more.
IDLE_SECONDS: Final = 5.0
# Whoever must wait for one lease has those renewed too that are past this age.
OLD_SECONDS: Final = LEASE_SECONDS / 2
_SHORTEST: Final = 0.01
_NOWHERE: Final = -1


class Lease:
    """Spent in memory, filled by the book of leases.

    `left` may be spent until `until`; while `closed_until` lies ahead there is nothing to be had.
    A gateway asks for as much as it has needed lately, at most for a tenth of a second's allowance,
    and gives back what it has not used. Its own window counts besides: what Redis has forgotten is
    not given twice.
    """

    __slots__ = (
        *("_asked_at", "_given", "_most", "_share", "_shared_slot", "_size", "_slot", "_window"),
        *("closed_until", "flight", "free", "key", "left", "limit", "tier", "until"),
    )

    def __init__(self, key: str, tier: str, limit: int, replicas: int) -> None:
        self.key = key
        self.tier = tier
        self.limit = limit
        self.left = 0
        self.free = limit
        self.until = 0.0
        self.closed_until = 0.0
        self.flight: Task[None] | None = None
        self._share = max(1, limit // replicas)
        self._most = most_held(limit)
        self._size = 1
        self._given = 0
        self._slot = _NOWHERE
        self._shared_slot = _NOWHERE
        self._window = Window()
        self._asked_at = 0.0

    def asks(self, now: float) -> Want:
        """What to ask for, beginning now; nothing can be spent until the answer."""
        unused, self.left = self.left, 0
        if unused:
            elapsed = max(now - self._asked_at, _SHORTEST)
            spent = (self._given - unused) * LEASE_SECONDS / elapsed
            self._size = min(self._most, max(1, math.ceil(spent)))
            self._window.give_back(self._slot, unused)
        elif now < self.until:
            self._size = min(self._most, self._size * 2)
        self._asked_at = now
        back = unused if self._shared_slot != _NOWHERE else 0
        return Want(self.key, self.limit, self._size, back, self._shared_slot)

    def receives(self, now: float, shared: Given | None) -> None:
        """The answer; None where Redis gave none, and this process's share decides."""
        limit = self._share if shared is None else self.limit
        wanted = self._size if shared is None else shared.granted
        own = self._window.take(now, limit, wanted)
        self._slot = own.slot
        self._shared_slot = _NOWHERE if shared is None else shared.slot
        self.left = self._given = own.granted
        # Counted from before the question: what was leased is spent within so long of its slot.
        self.until = self._asked_at + LEASE_SECONDS
        if own.granted == 0:
            wait = own.wait if shared is None or shared.granted else shared.wait
            # Never at once again, so that who waits does not spin.
            self.closed_until = now + max(wait, 0.001)
        elif now >= self.until:
            # The answer came late; asked a moment ago, it is still within Redis' bound.
            self.until = now + 0.01
        self.free = own.free if shared is None else min(own.free, shared.free)

    def spendable(self, now: float) -> bool:
        """Whether there is something to spend."""
        return self.left > 0 and self.until > now

    def old(self, now: float) -> bool:
        """Whether it will have to be renewed soon anyway."""
        return self.until - now < LEASE_SECONDS - OLD_SECONDS

    def idle(self, now: float) -> bool:
        """Whether forgetting it changes nothing."""
        return self.flight is None and now - self._asked_at > IDLE_SECONDS


def most_held(limit: int) -> int:
    """The most that a gateway holds of a key: what it may admit beyond the limit."""
    return max(1, math.ceil(limit * LEASE_SECONDS))
