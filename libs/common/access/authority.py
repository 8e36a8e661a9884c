"""The rights of the principals in use: compiled once a version, asked of auth, dropped by event.

A principal names the version of its subject's access at the time it was minted. Rights of that
version or a later one decide; older ones are asked for again, and a change is heard as it happens.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from libs.common.access.rights import Rights, compile_rights
from libs.common.contracts.auth import Access
from libs.common.errors import unavailable
from libs.common.principal import Principal

MOST_KEPT: Final = 20_000
_MOST_HEARD: Final = 100_000

Subject = tuple[int, str]


class Told(msgspec.Struct, frozen=True):
    """What auth says of a subject: its access and the version of that."""

    version: int
    access: Access


Ask = Callable[[Principal], Awaitable[Told]]


class Authority:
    """Finds the rights of a principal, asking about each subject at most once at a time."""

    def __init__(self, ask: Ask, clock: Callable[[], float] = time.time) -> None:
        self._ask = ask
        self._clock = clock
        self._kept: OrderedDict[tuple[int, str, tuple[str, ...]], Rights] = OrderedDict()
        self._told: OrderedDict[Subject, Told] = OrderedDict()
        self._least: dict[Subject, int] = {}
        self._flights: dict[Subject, asyncio.Task[Told]] = {}

    async def rights(self, principal: Principal) -> Rights:
        """The rights of a principal; a refusal 503 where they must be asked for and auth is away."""
        subject = principal.tenant_no, principal.subject
        key = *subject, principal.scopes
        least = max(principal.epoch, self._least.get(subject, 0))
        found = self._kept.get(key)
        if found is not None and found.version >= least and found.until > self._clock():
            return found
        told = self._told.get(subject)
        if told is None or told.version < least:
            told = await asyncio.shield(self._flight(subject, principal))
        if told.version < self._least.get(subject, 0):
            # It changed while the question was on its way.
            told = await asyncio.shield(self._flight(subject, principal))
        if told.version < principal.epoch:
            raise unavailable("What you may do here has just changed; try again.")
        compiled = compile_rights(told.access, told.version, principal.scopes, self._clock())
        self._kept[key] = compiled
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return compiled

    def heard(self, tenant_no: int, subject: str, version: int) -> None:
        """A subject's access changed: older versions decide nothing from now on."""
        if len(self._least) >= _MOST_HEARD:
            self.forget_everything()
        key = tenant_no, subject
        self._least[key] = max(version, self._least.get(key, 0))

    def forget_everything(self) -> None:
        """Changes may have been missed: ask again about everybody."""
        self._kept.clear()
        self._told.clear()
        self._least.clear()

    def _flight(self, subject: Subject, principal: Principal) -> asyncio.Task[Told]:
        flight = self._flights.get(subject)
        if flight is None:
            flight = asyncio.create_task(self._fetch(subject, principal))
            self._flights[subject] = flight
            flight.add_done_callback(lambda _: self._flights.pop(subject, None))
        return flight

    async def _fetch(self, subject: Subject, principal: Principal) -> Told:
        told = await self._ask(principal)
        self._told[subject] = told
        self._told.move_to_end(subject)
        if len(self._told) > MOST_KEPT:
            self._told.popitem(last=False)
        return told
