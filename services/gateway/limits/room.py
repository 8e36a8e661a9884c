"""The waiting room: a running run's writes over a limit wait in the line of their tenant."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Final

from services.gateway.limits.line import Line, Ticket
from services.gateway.limits.needs import Blocked, Needs, Tenant
from services.gateway.metrics import LIMITS_WAITING

# A waiting request holds its head and what the server has read of its body, at most 128 KiB; the
# rest of the body is not read. A place that is kept is some hundred bytes.
MOST_WAITING: Final = 2_000
MOST_WAITING_OF_A_TENANT: Final = 256
MOST_KEPT: Final = 20_000
MOST_KEPT_OF_A_TENANT: Final = 1_000
# How much later than told a client may come back to its place.
KEPT_SECONDS: Final = 30.0
_PRUNING_SECONDS: Final = 1.0
_SHORTEST: Final = 0.001
_STRIDE_SECONDS: Final = 0.02


class Room:
    """`admit` gives a request what it needs, or says what blocks it.

    One task a tenant serves its line in the order of the tickets; whoever is blocked by what blocks
    nobody behind them holds nobody up.
    """

    def __init__(
        self,
        admit: Callable[[Needs], Awaitable[Blocked | None]],
        clock: Callable[[], float],
        delay_seconds: float,
    ) -> None:
        self._admit = admit
        self._clock = clock
        self._delay = delay_seconds
        self._numbers = itertools.count(1)
        self._lines: dict[Tenant, Line] = {}
        self._waiting = 0
        self._kept = 0
        self._pruned_at = float("-inf")

    async def wait(self, needs: Needs, blocked: Blocked, identity: bytes) -> int | None:
        """None when the request's turn has come; else in how many seconds to come back.

        A request that comes back in time stands where it stood: before all that came later.
        """
        line = self._line(needs.tenant)
        ticket = self._claimed(line, identity) or Ticket(next(self._numbers), needs, identity)
        if self.full(needs.tenant):
            return self._keep(line, ticket, blocked)
        ticket.needs = needs
        await self._served(line, ticket, blocked)
        if ticket.served.done():
            return None
        return self._keep(line, ticket, line.blocked.get(blocked.by, blocked))

    def full(self, tenant: Tenant) -> bool:
        """Whether no more requests of a tenant may wait."""
        line = tenant.line
        of_it = 0 if line is None else len(line.waiting)
        return self._waiting >= MOST_WAITING or of_it >= MOST_WAITING_OF_A_TENANT

    def passed(self, needs: Needs, identity: bytes) -> None:
        """A request went through at once: a place that was kept for it is not needed any more."""
        if needs.tenant.line is not None:
            self._claimed(needs.tenant.line, identity)

    def left(self, tenant: Tenant) -> None:
        """A place of the tenant is free."""
        if tenant.line is not None and tenant in tenant.line.blocked:
            tenant.line.woken.set()

    async def close(self) -> None:
        """End what is under way."""
        pumps = [line.pump for line in self._lines.values() if line.pump is not None]
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)

    def _line(self, tenant: Tenant) -> Line:
        if tenant.line is None:
            tenant.line = self._lines[tenant] = Line()
        return tenant.line

    def _claimed(self, line: Line, identity: bytes) -> Ticket | None:
        before = line.away
        ticket = line.claimed(identity, self._clock())
        self._kept -= before - line.away
        return ticket

    async def _served(self, line: Line, ticket: Ticket, blocked: Blocked) -> None:
        self._waiting += 1
        LIMITS_WAITING.inc()
        line.join(ticket, blocked)
        if line.pump is None:
            line.pump = asyncio.create_task(self._pump(ticket.needs.tenant, line))
        try:
            await asyncio.wait({ticket.served}, timeout=self._delay)
        except asyncio.CancelledError:
            if ticket.served.done() and ticket.needs.places:
                ticket.needs.tenant.open -= 1
            raise
        finally:
            line.leave(ticket)
            self._waiting -= 1
            LIMITS_WAITING.dec()

    def _keep(self, line: Line, ticket: Ticket, blocked: Blocked) -> int:
        seconds = line.seconds_until(ticket, blocked)
        now = self._clock()
        if line.away >= MOST_KEPT_OF_A_TENANT or self._kept >= MOST_KEPT:
            self._prune(now)
            line = self._line(ticket.needs.tenant)
        if line.away < MOST_KEPT_OF_A_TENANT and self._kept < MOST_KEPT:
            line.keep(ticket, now + seconds + KEPT_SECONDS)
            self._kept += 1
        return seconds

    def _prune(self, now: float) -> None:
        if now < self._pruned_at + _PRUNING_SECONDS:
            return
        self._pruned_at = now
        for tenant, line in list(self._lines.items()):
            self._kept -= line.prune(now)
            if not line.away and not line.waiting and line.pump is None:
                del self._lines[tenant]
                tenant.line = None

    async def _pump(self, tenant: Tenant, line: Line) -> None:
        try:
            while line.waiting:
                line.woken.clear()
                pause = await self._serve(line)
                if not line.waiting:
                    break
                if pause:
                    await asyncio.sleep(pause)
                    continue
                soonest = min((found.at for found in line.blocked.values()), default=0.0)
                try:
                    async with asyncio.timeout(max(_SHORTEST, soonest - self._clock())):
                        await line.woken.wait()
                except TimeoutError:
                    continue
        finally:
            line.blocked = {}
            line.pump = None
            if not line.away and not line.waiting:
                self._lines.pop(tenant, None)
                tenant.line = None

    async def _serve(self, line: Line) -> float:
        """One walk along the line; after how many seconds it goes on where all is not served yet.

        What a second allows is not let go at once, but over half a second: who waits has time, and
        other tenants' requests get between.
        """
        served = 0
        blocked: dict[object, Blocked] = {}
        for ticket in tuple(line.waiting):
            needs = ticket.needs
            if needs.tenant in blocked or any(lease in blocked for lease in needs.leases):
                continue
            found = await self._admit(needs)
            if found is not None:
                blocked[found.by] = found
            elif ticket in line.waiting:
                line.waiting.remove(ticket)
                ticket.served.set_result(None)
                served += 1
                pace = min((lease.limit for lease in needs.leases), default=0)
                if pace and served >= pace * _STRIDE_SECONDS:
                    line.blocked = {**line.blocked, **blocked}
                    return served / pace / 2
            elif needs.places:  # it has left meanwhile
                needs.tenant.open -= 1
        line.blocked = blocked
        return 0.0
