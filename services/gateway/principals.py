"""The signed principals of the credentials in use: from memory, from Redis, or from auth."""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

from libs.common.errors import Refusal, missing, unavailable
from libs.common.principal import LEEWAY_SECONDS
from libs.common.telemetry.logs import logger
from libs.common.workspaces import no_workspace
from services.gateway.backoff import BackOff
from services.gateway.confirmation import Confirmation
from services.gateway.credentials import Presented, Rejected, WorkspaceRejected
from services.gateway.exchange import Passport
from services.gateway.metrics import FOUND_IN, RENEWALS_FAILED
from services.gateway.open_requests import OpenRequests
from services.gateway.passports import Passports
from services.gateway.revocations import Revocations, why_ended
from services.gateway.shared_cache import SharedCache

MOST_REJECTED: Final = 10_000
REJECTED_SECONDS: Final = 2.0
_RENEWAL_PAUSE_SECONDS: Final = 2.0
_log = logger(__name__)


class Principals:
    """Finds the passport of a presented credential, fetching each at most once at a time.

    A passport is used until shortly before it expires, or until it is revoked, whatever happens to
    auth, Redis or Kafka meanwhile; but not while it is unknown for too long what was revoked.
    A rejection is remembered for two seconds, so that a wrong token in a loop costs auth little.
    Passwords that auth must be asked about pass the `backoff` first; those in memory do not.
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
        self._rejected: OrderedDict[bytes, tuple[float, Rejected]] = OrderedDict()
        self._backoff = BackOff(None) if backoff is None else backoff
        self._pepper = secrets.token_bytes(32)
        self._flights: dict[bytes, asyncio.Task[Passport]] = {}
        self._pause_renewals_until = 0.0
        self._epoch = 0
        self.open_requests = OpenRequests()
        self.revocations = Revocations(
            self._passports,
            self.open_requests,
            rejected=self._note_rejected,
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

    def knows(self, presented: Presented) -> bool:
        """Whether a passport of the credential is at hand."""
        known = self._passports.get(presented.key(self._pepper))
        return known is not None and known.expires_at > self._clock()

    async def _find(self, presented: Presented, key: bytes) -> Passport:
        now = self._clock()
        known = self._passports.get(key)
        if known is not None and known.expires_at > now <= self.confirmation.trusted_until:
            FOUND_IN["memory"].inc()
            if known.renew_at < now and self._pause_renewals_until < now:
                self._flight(key, presented, renewal=True)
            return known
        self._backoff.admit(presented)
        rejected = self._rejected.get(key)
        if rejected is not None and rejected[0] > now:
            FOUND_IN["refused"].inc()
            raise type(rejected[1])(str(rejected[1]))
        # Shielded: one waiter that leaves must not take the answer from the others.
        found = await asyncio.shield(self._flight(key, presented, renewal=False))
        # It may have ended since it landed, before it was our turn.
        self._insist_living(found, presented, now)
        return found

    async def close(self) -> None:
        """End what is under way."""
        for flight in list(self._flights.values()):
            flight.cancel()
        await asyncio.gather(*self._flights.values(), return_exceptions=True)
        await self._shared.close()

    def _flight(self, key: bytes, presented: Presented, *, renewal: bool) -> asyncio.Task[Passport]:
        flight = self._flights.get(key)
        if flight is None:
            if not renewal:
                self._backoff.begin(presented)
            flight = asyncio.create_task(self._fetch(key, presented, renewal=renewal))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
            if not renewal:
                flight.add_done_callback(lambda _: self._backoff.ended(presented))
        return flight

    def _landed(self, key: bytes, flight: asyncio.Task[Passport]) -> None:
        self._flights.pop(key, None)
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
            if not renewal:
                await self._backoff.consult(presented)
            begun = self._clock()
            passport = await self._exchange(presented)
            if self.revocations.outdates(passport, begun):
                # What changed while the question was under way, the next answer knows.
                begun = self._clock()
                passport = await self._exchange(presented)
            self._insist_living(passport, presented, begun)
        except Rejected as rejected:
            self._note_rejected(key, rejected)
            # Here and not where it is waited for: what many share is one guess.
            if not renewal and not isinstance(rejected, WorkspaceRejected):
                await self._backoff.failed(presented)
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

    def _note_rejected(self, key: bytes, rejected: Rejected) -> None:
        self._passports.drop(key)
        self._rejected[key] = (self._clock() + REJECTED_SECONDS, rejected)
        self._rejected.move_to_end(key)
        if len(self._rejected) > MOST_REJECTED:
            self._rejected.popitem(last=False)

    def _forget_everything(self) -> None:
        self._epoch += 1
        self._passports.clear()
