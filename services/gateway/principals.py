"""The signed principals of the credentials in use: from memory, from Redis, or from auth."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from libs.common.errors import Refusal, missing, unavailable
from libs.common.principal import LEEWAY_SECONDS
from libs.common.telemetry.logs import logger
from libs.common.workspaces import no_workspace
from services.gateway.backoff import BackOff
from services.gateway.confirmation import Confirmation
from services.gateway.credentials import AddressRejected, Presented, Rejected, WorkspaceRejected
from services.gateway.exchange import Passport
from services.gateway.limits.strangers import Strangers
from services.gateway.limits.workspaces import UnknownWorkspaces
from services.gateway.metrics import FOUND_IN, RENEWALS_FAILED
from services.gateway.open_requests import OpenRequests
from services.gateway.passports import Passports, insist_inside
from services.gateway.rejections import Rejections
from services.gateway.revocations import Revocations, why_ended
from services.gateway.shared_cache import SharedCache

_RENEWAL_PAUSE_SECONDS: Final = 2.0
_log = logger(__name__)


class Principals:
    """Finds the passport of a presented credential, fetching each at most once at a time.

    A passport is used until shortly before it expires, or until it is revoked, whatever happens to
    auth, Redis or Kafka meanwhile; but not while it is unknown for too long what was revoked.
    A rejection is remembered for two seconds, so that a wrong token in a loop costs auth little.
    Passwords that auth must be asked about pass the `backoff` first; those in memory do not. Nor
    does anything that is known here or in Redis wait for an address or a credential with many that
    opened nothing.
    """

    def __init__(
        self,
        exchange: Callable[[Presented], Awaitable[Passport]],
        shared: SharedCache,
        clock: Callable[[], float] = time.time,
        backoff: BackOff | None = None,
    ) -> None:
        self._exchange = exchange
        self._shared = shared
        self._clock = clock
        self._passports = Passports()
        self._rejected = Rejections(clock)
        # Of a credential that is good elsewhere: in a workspace, or at an address. Apart from the
        # others, which somebody who names many workspaces must not make forgotten.
        self._rejected_here = Rejections(clock)
        self.strangers = Strangers()
        self._workspaces = UnknownWorkspaces()
        self._backoff = BackOff(None) if backoff is None else backoff
        self._pepper = secrets.token_bytes(32)
        self._flights: dict[bytes, asyncio.Task[Passport]] = {}
        self._pause_renewals_until = 0.0
        self._epoch = 0
        self.open_requests = OpenRequests()
        self.revocations = Revocations(
            self._passports,
            self.open_requests,
            rejected=self._end,
            forget_everything=self._forget_everything,
            clock=clock,
        )
        self.confirmation = Confirmation(self.revocations, clock)

    async def passport(self, presented: Presented) -> Passport:
        """The passport of a credential; raises the refusal that answers the request.

        401 for a credential that is not accepted, 404 for a workspace it may not enter, 503 where
        auth cannot say.
        """
        try:
            return await self._find(presented, presented.key(self._pepper))
        except WorkspaceRejected as rejected:
            raise missing(str(rejected)) from None
        except Rejected as rejected:
            # The way it came is this request's own, though the answer may be another's.
            raise presented.refusal(str(rejected)) from None

    async def _find(self, presented: Presented, key: bytes) -> Passport:
        now = self._clock()
        known = self._passports.get(key)
        if known is not None and known.expires_at > now <= self.confirmation.trusted_until:
            insist_inside(known, presented)
            FOUND_IN["memory"].inc()
            if known.renew_at < now and self._pause_renewals_until < now:
                self._flight(key, presented, renewal=True)
            return known
        self._backoff.admit(presented)
        self._insist_not_rejected(key, presented)
        found = await self._awaited(key, presented)
        # It may have ended since it landed, before it was our turn.
        self._insist_living(found, presented, now)
        insist_inside(found, presented)
        return found

    def _insist_not_rejected(self, key: bytes, presented: Presented) -> None:
        here = (_at(key, presented), _at(self._credential(presented), presented))
        rejected = self._rejected.find(key)
        for place in here:
            rejected = rejected or self._rejected_here.find(place)
        if rejected is not None:
            FOUND_IN["refused"].inc()
            raise rejected

    async def _awaited(self, key: bytes, presented: Presented) -> Passport:
        """What is fetched, for all who wait for it; shielded, as one that leaves must not take it
        from the others.
        """
        joined = key in self._flights
        try:
            return await asyncio.shield(self._flight(key, presented, renewal=False))
        except (WorkspaceRejected, AddressRejected):
            if not joined:
                raise
        except Refusal as refusal:
            if not joined or refusal.status != 429:
                raise
        # That was the answer to the address that asked first, and is none to another.
        self._insist_not_rejected(key, presented)
        place = _at(key, presented)
        return await asyncio.shield(self._flight(key, presented, renewal=False, place=place))

    async def close(self) -> None:
        """End what is under way."""
        for flight in list(self._flights.values()):
            flight.cancel()
        await asyncio.gather(*self._flights.values(), return_exceptions=True)
        await self._shared.close()

    def _flight(
        self, key: bytes, presented: Presented, *, renewal: bool, place: bytes = b""
    ) -> asyncio.Task[Passport]:
        name = place or key
        flight = self._flights.get(name)
        if flight is None:
            if not renewal:
                self._backoff.begin(presented)
            flight = asyncio.create_task(self._fetch(key, presented, renewal=renewal))
            self._flights[name] = flight
            flight.add_done_callback(lambda done: self._landed(name, done))
            if not renewal:
                flight.add_done_callback(lambda _: self._backoff.ended(presented))
        return flight

    def _landed(self, name: bytes, flight: asyncio.Task[Passport]) -> None:
        self._flights.pop(name, None)
        if flight.cancelled():
            return
        problem = flight.exception()
        if problem is not None and not isinstance(problem, Refusal | Rejected):
            _log.error("passport_not_fetched", error=repr(problem))

    async def _fetch(self, key: bytes, presented: Presented, *, renewal: bool) -> Passport:
        epoch = self._epoch
        try:
            if not renewal and (shared := await self._from_redis(presented)) is not None:
                FOUND_IN["redis"].inc()
                return self._keep(key, shared, epoch)
            if renewal:
                passport = await self._exchanged(presented)
            else:
                passport = await self._admitted(key, presented)
        except Rejected as rejected:
            self._note_rejected(key, presented, rejected)
            raise
        except Refusal:
            if renewal:
                RENEWALS_FAILED.inc()
                self._pause_renewals_until = self._clock() + _RENEWAL_PAUSE_SECONDS
            raise
        FOUND_IN["auth"].inc()
        await self._backoff.succeeded(presented)
        self._shared.write(presented, passport)
        return self._keep(key, passport, epoch)

    async def _admitted(self, key: bytes, presented: Presented) -> Passport:
        """Auth's answer, unless too much was refused lately of its address or credential.

        Refusals are counted here and not where they are waited for: what many share is one guess.
        """
        credential = self._credential(presented)
        before = self._passports.get(key)
        # One that has ended since tells as well that the credential is no stranger's guess.
        familiar = before or self._passports.get(credential)
        if familiar is None:
            self.strangers.check(presented.address)
        else:
            insist_inside(familiar, presented)
        await self._backoff.consult(presented)
        try:
            if before is not None or not presented.workspace:
                return await self._exchanged(presented)
            with self._workspaces.asked(credential):
                return await self._exchanged(presented)
        except WorkspaceRejected:
            raise
        except Rejected:
            self.strangers.failed(presented.address)
            await self._backoff.failed(presented)
            raise

    async def _exchanged(self, presented: Presented) -> Passport:
        begun = self._clock()
        passport = await self._exchange(presented)
        if self.revocations.outdates(passport, begun):
            # What changed while the question was under way, the next answer knows.
            begun = self._clock()
            passport = await self._exchange(presented)
        self._insist_living(passport, presented, begun)
        return passport

    async def _from_redis(self, presented: Presented) -> Passport | None:
        if self._clock() > self.confirmation.trusted_until:
            return None
        passport = await self._shared.read(presented)
        if passport is None or self._gone(passport, presented) is not None:
            return None
        # auth's clock and ours may differ: what was minted about then counts as minted before.
        if self.revocations.outdates(passport, passport.minted_at - LEEWAY_SECONDS):
            return None
        # Minted before we listened, it may have been revoked without our hearing of it.
        return passport if self.revocations.would_have_heard(passport.minted_at) else None

    def _gone(self, passport: Passport, presented: Presented) -> Rejected | None:
        """Why a passport is not used any more, None where it still is."""
        if self.revocations.covers(passport.actor):
            return Rejected(why_ended(passport.actor))
        if self.revocations.covers_workspace(passport.tenant_no, passport.workspace_id):
            named = presented.workspace
            return WorkspaceRejected(
                no_workspace(named).message if named else "The credential's workspace was deleted."
            )
        return None

    def _insist_living(self, passport: Passport, presented: Presented, since: float) -> None:
        if (gone := self._gone(passport, presented)) is not None:
            raise gone
        if self.revocations.outdates(passport, since):
            raise unavailable("What you may do here has just changed; try again.")

    def _keep(self, key: bytes, passport: Passport, epoch: int) -> Passport:
        # Fetched while everything was forgotten, it serves the one request that asked and no more.
        if epoch == self._epoch:
            self._passports.put(key, passport)
        return passport

    def _credential(self, presented: Presented) -> bytes:
        """The key of the credential in no workspace that a request names."""
        return replace(presented, workspace="").key(self._pepper)

    def _note_rejected(self, key: bytes, presented: Presented, rejected: Rejected) -> None:
        credential = self._credential(presented)
        if isinstance(rejected, AddressRejected):
            # Of all its workspaces, but from there alone: others go on using it.
            self._rejected_here.note(_at(credential, presented), rejected)
        elif isinstance(rejected, WorkspaceRejected):
            self._passports.drop(key)
            self._rejected_here.note(_at(key, presented), rejected)
        else:
            self._passports.drop(credential)
            self._end(key, rejected)

    def _end(self, key: bytes, rejected: Rejected) -> None:
        self._passports.drop(key)
        self._rejected.note(key, rejected)

    def _forget_everything(self) -> None:
        self._epoch += 1
        self._passports.clear()


def _at(key: bytes, presented: Presented) -> bytes:
    """A key at the address of a request."""
    return key + presented.address.encode()
