"""Whether a request may go on now: at once, after a while, or not yet."""

import math
from collections.abc import Mapping
from typing import Final

from libs.common.contracts.plans import PLANS, Plan
from libs.common.errors import Refusal
from services.gateway.exchange import Passport
from services.gateway.limits.bodies import Recognised
from services.gateway.limits.book import Book
from services.gateway.limits.brake import Brake
from services.gateway.limits.needs import CONCURRENT, LISTENERS, Blocked, Directory, Needs
from services.gateway.limits.room import Room
from services.gateway.limits.shared import SharedWindows
from services.gateway.metrics import LIMITED
from services.gateway.routes import Work
from services.gateway.settings import Settings

# A place becomes free when a request ends, of which the line hears; this is only when to look again.
_PLACE_SECONDS: Final = 0.25
_WHOSE: Final = {
    "tenant": "this tenant",
    "principal": "one principal",
    "read": "reads of this tenant",
    "write": "writes of this tenant",
    "search": "searches of this tenant",
    "artifact": "transfers of artifacts by this tenant",
}


class Limits:
    """What each request passes after its credential and before its service."""

    def __init__(
        self,
        shared: SharedWindows,
        settings: Settings,
        plans: Mapping[str, Plan] = PLANS,
        processes: int = 1,
    ) -> None:
        # Each process of each gateway counts in its own memory.
        replicas = settings.replicas * processes
        self._book = Book(shared, replicas)
        self._directory = Directory(
            self._book, plans, platform_rps=settings.platform_rps, replicas=replicas
        )
        self._brake = Brake(self._book.clock)
        self._room = Room(self._admitted, self._book.clock, settings.delay_seconds)

    def needs(self, passport: Passport | None, work: Work) -> Needs:
        """What a request needs; without a passport the platform's allowance alone."""
        if passport is None:
            return self._directory.public()
        return self._directory.needs(passport, work.kind)

    async def enter(self, needs: Needs, repeated: Recognised | None = None) -> None:
        """Let a request in, which must `leave` then; Over where a limit is passed.

        A write of a running run is one that is `repeated` when it is refused: it waits first, and
        when that was not enough finds its place kept.
        """
        line = needs.tenant.line
        identity = None
        if repeated is not None and line is not None and line.away:
            # Read before anything is taken, as a client may leave meanwhile.
            identity = await repeated.identity()
        blocked = None if line is None else line.blocks(needs)
        if blocked is None:
            blocked = await self._admitted(needs)
        if blocked is None:
            if identity is not None:
                self._room.passed(needs, identity)
            return
        if repeated is None:
            seconds = math.ceil(blocked.at - self._book.clock())
            await self._brake.hold(needs.tenant)
            raise _refused(needs, blocked, seconds)
        told = await self._room.wait(needs, blocked, await repeated.identity())
        if told is None:
            LIMITED.labels(blocked.tier, "delayed").inc()
            return
        if self._room.full(needs.tenant):
            await self._brake.hold(needs.tenant)
        raise _refused(needs, blocked, told)

    def leave(self, needs: Needs) -> None:
        """A request that was let in is over."""
        needs.take_place(-1)
        if needs.places and not needs.listens:
            self._room.left(needs.tenant)

    async def close(self) -> None:
        """End what is under way."""
        await self._room.close()
        await self._book.close()

    async def _admitted(self, needs: Needs) -> Blocked | None:
        if needs.full():
            return self._full(needs)
        if not self._book.take(needs.leases):
            closed = await self._book.taken(needs.leases)
            if closed is not None:
                return Blocked(closed, closed.tier, closed.limit, closed.closed_until)
            if needs.full():
                return self._full(needs)
        needs.take_place()
        return None

    def _full(self, needs: Needs) -> Blocked:
        at = self._book.clock() + _PLACE_SECONDS
        return Blocked(needs.tenant, needs.kind_of_places, needs.places, at)


class Over(Refusal):
    """A 429 that names tier, limit and remedy; `blocked` is what stood in the way."""

    def __init__(self, message: str, blocked: Blocked, seconds: int) -> None:
        super().__init__("RESOURCE_EXHAUSTED", message, retry_after=seconds)
        self.blocked = blocked


def _refused(needs: Needs, blocked: Blocked, seconds: int) -> Over:
    LIMITED.labels(blocked.tier, "refused").inc()
    seconds = max(1, seconds)
    plan = needs.plan.name
    if blocked.tier == "platform":
        what = f"the platform serves {blocked.limit} requests a second in all"
    elif blocked.tier == CONCURRENT:
        what = (
            f"the plan {plan!r} allows this tenant {blocked.limit} requests at the same time here"
        )
    elif blocked.tier == LISTENERS:
        what = (
            f"the plan {plan!r} allows this tenant {blocked.limit} streams of live events at the"
            " same time here; end one that nobody looks at"
        )
    else:
        what = f"the plan {plan!r} allows {_WHOSE[blocked.tier]} {blocked.limit} requests a second"
    return Over(
        f"Too many requests ({blocked.tier}): {what}. Try again in {seconds} s, send more with each"
        " request (log-batch), or ask the platform's operator for a larger plan.",
        blocked,
        seconds,
    )
