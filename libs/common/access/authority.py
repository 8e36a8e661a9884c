"""The rights of the principals in use: compiled once a version, asked of auth, dropped by event.

A principal names the version of its subject's access at the time it was minted. Rights of that
version or a later one decide; older ones are asked for again, and a change is heard as it happens.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeGuard

import msgspec

from libs.common.access.rights import ALL_SCOPES, Rights, compile_rights
from libs.common.contracts.auth import Access
from libs.common.errors import unavailable
from libs.common.principal import Principal

MOST_KEPT: Final = 20_000
_MOST_HEARD: Final = 100_000
_QUESTIONS: Final = 2

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
        self._told: OrderedDict[Subject, Rights] = OrderedDict()
        self._least: dict[Subject, int] = {}
        self._given: dict[str, Principal] = {}
        self._forgotten = 0
        self._flights: dict[Subject, asyncio.Task[Rights]] = {}

    async def given(self, principal: Principal) -> Principal:
        """The principal with its rights; a refusal 503 where those cannot be known."""
        rights = await self.rights(principal)
        given = self._given.get(principal.token)
        if given is None or given.rights is not rights:
            if len(self._given) >= MOST_KEPT:
                self._given.clear()
            given = self._given[principal.token] = replace(principal, rights=rights)
        return given

    async def rights(self, principal: Principal) -> Rights:
        """The rights of a principal; a refusal 503 where they must be asked for and auth is away."""
        subject = principal.tenant_no, principal.subject
        key = *subject, principal.scopes
        found = self._kept.get(key)
        if self._is_current(found, principal) and found.until > self._clock():
            return found
        told = self._told.get(subject)
        for _ in range(_QUESTIONS):
            if self._is_current(told, principal):
                break
            # A second time where it changed while the question was on its way.
            told = await asyncio.shield(self._flight(subject, principal))
        if not self._is_current(told, principal):
            raise unavailable("What you may do here has just changed; try again.")
        renewed = told.renewed(principal.scopes, self._clock())
        self._kept[key] = renewed
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return renewed

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
        self._forgotten += 1
        self._least.clear()

    def _is_current(self, rights: Rights | None, principal: Principal) -> TypeGuard[Rights]:
        """Whether rights are of the version that is known to the principal and to us, or later."""
        least = self._least.get((principal.tenant_no, principal.subject), 0)
        return rights is not None and rights.version >= max(principal.epoch, least)

    def _flight(self, subject: Subject, principal: Principal) -> asyncio.Task[Rights]:
        flight = self._flights.get(subject)
        if flight is None:
            flight = asyncio.create_task(self._fetch(subject, principal))
            self._flights[subject] = flight
            flight.add_done_callback(lambda _: self._flights.pop(subject, None))
        return flight

    async def _fetch(self, subject: Subject, principal: Principal) -> Rights:
        forgotten = self._forgotten
        answer = await self._ask(principal)
        told = compile_rights(answer.access, answer.version, ALL_SCOPES, self._clock())
        if forgotten != self._forgotten:
            # It may have been asked before what was missed.
            return told
        self._told[subject] = told
        self._told.move_to_end(subject)
        if len(self._told) > MOST_KEPT:
            self._told.popitem(last=False)
        return told
