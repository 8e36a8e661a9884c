"""Whether revocations reach this process, and what is done while nobody can tell.

A heartbeat that arrives confirms that all that ended before it was told, and names the number of
the last revocation. Where it stays away, or names a number that is not known here, auth's feed is
asked; where that is away too, the last confirmation bounds how long passports are used.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from libs.common.access.feed import Feed
from libs.common.errors import Refusal
from libs.common.telemetry.logs import logger
from services.gateway.metrics import FEED_FAILURES, REVOKED_BY, SILENCE
from services.gateway.revocations import Revocations

SILENT_SECONDS: Final = 3.0
POLL_SECONDS: Final = 1.0
TRUSTED_SECONDS: Final = 60.0
# When what had a lower number than we know of, and was not committed yet, is looked for.
SETTLED_SECONDS: Final = 15.0
_log = logger(__name__)

# Asks auth what ended after a number; a refusal where it cannot say.
Ask = Callable[[int], Awaitable[Feed]]


class Confirmation:
    """Keeps the time up to which every revocation is known here."""

    def __init__(self, revocations: Revocations, clock: Callable[[], float] = time.time) -> None:
        self._revocations = revocations
        self._clock = clock
        self._due = asyncio.Event()
        # How often something may have been missed, and how many of those times were made up for.
        self._gaps = 1
        self._closed = 0
        self._last = 0
        self._settled = 0
        self._seen: frozenset[int] = frozenset()
        # How far the clock of auth's database is ahead of ours, at most.
        self._ahead = 0.0
        self._polled = False
        self._polled_at = clock()
        # From the first silence on, until a heartbeat is heard in time.
        self._silent = False
        self._unanswered = False
        self._confirmed_at = clock()
        self.trusted_until = self._confirmed_at + TRUSTED_SECONDS

    @property
    def silence(self) -> float:
        """Seconds since the time up to which every revocation is known."""
        return self._clock() - self._confirmed_at

    @property
    def complete(self) -> bool:
        """Whether nothing is known to have been missed."""
        return self._gaps == self._closed

    def connected(self) -> None:
        """The broadcast was (re)connected: what was told before that is asked for."""
        self._revocations.connected()
        self._miss()

    def heartbeat(self, told_at: float, last_revocation: int) -> None:
        """A heartbeat arrived that auth told at `told_at`, by the clock of its database."""
        if last_revocation > self._last:
            self._miss()
        elif self.complete:
            # One that was long under way says nothing of what was told since.
            self._confirm(min(told_at - self._ahead, self._clock()))
            self._silent = self.silence >= SILENT_SECONDS

    async def run(self, ask: Ask) -> None:
        """Ask auth's feed whenever that is due; forever."""
        while True:
            try:
                async with asyncio.timeout(self._pause()):
                    await self._due.wait()
            except TimeoutError:
                pass
            await self.look(ask)

    async def look(self, ask: Ask) -> None:
        """Ask auth's feed if it is due now."""
        self._due.clear()
        SILENCE.set(self.silence)
        if not self._is_due():
            return
        gap, asked_at = self._gaps, self._clock()
        try:
            feed = await ask(self._settled)
        except Refusal as refusal:
            FEED_FAILURES.inc()
            if not self._unanswered:  # one line, however many seconds auth is away
                _log.warning("revocations_not_told", silence=self.silence, error=refusal.message)
            self._unanswered = True
            return
        self._unanswered = False
        self._take(feed, asked_at)
        self._closed = gap
        SILENCE.set(self.silence)

    def _take(self, feed: Feed, asked_at: float) -> None:
        for told in feed.revocations:
            if told.number in self._seen:
                continue
            # The first answer is of a time before this process, and no revocation of its own.
            if self._revocations.note(told) and self._polled:
                REVOKED_BY["feed"].inc()
        if not feed.whole:
            self._revocations.overflow()
        self._polled, self._polled_at = True, asked_at
        self._seen = frozenset(t.number for t in feed.revocations if t.number > feed.settled)
        self._last, self._settled = max(self._last, feed.last), feed.settled
        self._ahead = feed.time - asked_at
        self._revocations.caught_up(asked_at)
        self._confirm(asked_at)

    def _is_due(self) -> bool:
        self._silent = self._silent or self.silence >= SILENT_SECONDS
        if self._silent or not self.complete:
            return True
        return self._last > self._settled and self._clock() - self._polled_at > SETTLED_SECONDS

    def _miss(self) -> None:
        self._gaps += 1
        self._due.set()

    def _confirm(self, at: float) -> None:
        # A clock that was set back must not leave a confirmation in the future.
        self._confirmed_at = max(at, min(self._confirmed_at, self._clock()))
        self.trusted_until = self._confirmed_at + TRUSTED_SECONDS

    def _pause(self) -> float:
        if self.complete and not self._silent:
            return min(POLL_SECONDS, SILENT_SECONDS - self.silence)
        return POLL_SECONDS
