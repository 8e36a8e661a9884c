"""The book of leases: one lease a key, all that have run out filled in one round trip."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from services.gateway.limits.lease import Lease
from services.gateway.limits.shared import SharedWindows

MOST_LEASES: Final = 50_000


class Book:
    """The leases of this process; one of `replicas` gateways, which counts when Redis is away."""

    def __init__(
        self,
        shared: SharedWindows,
        replicas: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock = clock
        self._shared = shared
        self._replicas = replicas
        self._leases: dict[tuple[str, int], Lease] = {}
        self._wanted: list[Lease] = []
        self._batch: asyncio.Task[None] | None = None
        self._flying: asyncio.Task[None] | None = None

    def lease(self, key: str, tier: str, limit: int) -> Lease:
        """The lease of a key under a limit."""
        found = self._leases.get((key, limit))
        if found is None:
            if len(self._leases) >= MOST_LEASES:
                self._forget_idle()
            found = self._leases[key, limit] = Lease(key, tier, limit, self._replicas)
        return found

    def take(self, leases: Sequence[Lease]) -> bool:
        """Spend one of each lease, or nothing where one of them has nothing left."""
        now = self.clock()
        for lease in leases:
            if lease.left <= 0 or lease.until <= now:
                return False
        for lease in leases:
            lease.left -= 1
        return True

    async def taken(self, leases: Sequence[Lease]) -> Lease | None:
        """Spend one of each, filling them where they have run out; gives the one that is closed."""
        while not self.take(leases):
            now = self.clock()
            for lease in leases:
                if lease.closed_until > now and not lease.spendable(now):
                    return lease
            # One question for all that will soon be old, instead of one for each.
            await self._filled(
                [lease for lease in leases if lease.old(now) or not lease.spendable(now)]
            )
        return None

    async def close(self) -> None:
        """End what is under way."""
        flights = [flight for flight in (self._batch, self._flying) if flight is not None]
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _filled(self, lacking: Iterable[Lease]) -> None:
        flights = set()
        for lease in lacking:
            if lease.flight is None:
                self._wanted.append(lease)
                lease.flight = self._next_flight()
            flights.add(lease.flight)
        if flights:
            # Unlike awaiting the task itself, this leaves it alone when a waiter is cancelled.
            await asyncio.wait(flights)

    def _next_flight(self) -> asyncio.Task[None]:
        if self._batch is None:
            self._batch = asyncio.create_task(self._fly(self._flying))
        return self._batch

    async def _fly(self, before: asyncio.Task[None] | None) -> None:
        if before is not None and not before.done():
            await asyncio.wait({before})
        leases, self._wanted = self._wanted, []
        self._flying, self._batch = self._batch, None
        try:
            asked_at = self.clock()
            given = await self._shared.take([lease.asks(asked_at) for lease in leases])
            now = self.clock()
            for number, lease in enumerate(leases):
                lease.receives(now, None if given is None else given[number])
        finally:
            for lease in leases:
                lease.flight = None

    def _forget_idle(self) -> None:
        now = self.clock()
        self._leases = {name: lease for name, lease in self._leases.items() if not lease.idle(now)}
