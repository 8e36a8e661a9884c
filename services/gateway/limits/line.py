"""A tenant's line: writes of running runs that wait for their turn, and places that are kept."""

import asyncio
from bisect import insort
from collections import deque
from typing import Final

from services.gateway.limits.needs import Blocked, Needs

MOST_SECONDS: Final = 60
_NOW: Final = 0.0


class Ticket:
    """A place in the line: lower numbers go first, and a place that is kept keeps its number."""

    __slots__ = ("identity", "kept_until", "needs", "number", "served")

    def __init__(self, number: int, needs: Needs, identity: bytes) -> None:
        self.number = number
        self.identity = identity
        self.needs = needs
        self.kept_until = _NOW
        self.served: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __lt__(self, other: "Ticket") -> bool:
        return self.number < other.number


class Line:
    """The tickets of one tenant: those whose request waits here, and those who are to come back."""

    def __init__(self) -> None:
        self.waiting: list[Ticket] = []
        self.blocked: dict[object, Blocked] = {}
        self.woken = asyncio.Event()
        self.pump: asyncio.Task[None] | None = None
        self._away: dict[bytes, deque[Ticket]] = {}
        self.away = 0

    def blocks(self, needs: Needs) -> Blocked | None:
        """What those who wait are waiting for, where this request needs it too."""
        if not self.blocked:
            return None
        if needs.tenant in self.blocked and not needs.listens:
            return self.blocked[needs.tenant]
        for lease in needs.leases:
            if lease in self.blocked:
                return self.blocked[lease]
        return None

    def join(self, ticket: Ticket, blocked: Blocked) -> None:
        """Wait here, at the place that the ticket's number gives."""
        insort(self.waiting, ticket)
        self.blocked.setdefault(blocked.by, blocked)
        self.woken.set()

    def leave(self, ticket: Ticket) -> None:
        """Wait no longer; nothing where it was served."""
        if ticket in self.waiting:
            self.waiting.remove(ticket)

    def keep(self, ticket: Ticket, until: float) -> None:
        """Keep the ticket's place for the same request, which may come back until then."""
        ticket.kept_until = until
        ticket.served = asyncio.get_running_loop().create_future()
        self._away.setdefault(ticket.identity, deque()).append(ticket)
        self.away += 1

    def claimed(self, identity: bytes, now: float) -> Ticket | None:
        """The first place that is still kept for a request, which is back."""
        kept = self._away.get(identity)
        while kept:
            ticket = kept.popleft()
            self.away -= 1
            if not kept:
                del self._away[identity]
            if ticket.kept_until > now:
                return ticket
        return None

    def prune(self, now: float) -> int:
        """Forget the places that nobody came back for; how many there were."""
        before = self.away
        for identity in list(self._away):
            left = deque(ticket for ticket in self._away[identity] if ticket.kept_until > now)
            self.away -= len(self._away[identity]) - len(left)
            if left:
                self._away[identity] = left
            else:
                del self._away[identity]
        return before - self.away

    def seconds_until(self, ticket: Ticket, blocked: Blocked) -> int:
        """In how many seconds all who stand before a ticket can have been served."""
        ahead = sum(_competes(other, ticket, blocked) for other in self.waiting)
        for kept in self._away.values():
            ahead += sum(_competes(other, ticket, blocked) for other in kept)
        return min(MOST_SECONDS, 1 + ahead // max(1, blocked.limit))


def _competes(other: Ticket, ticket: Ticket, blocked: Blocked) -> bool:
    if other.number >= ticket.number:
        return False
    return blocked.by is other.needs.tenant or blocked.by in other.needs.leases
