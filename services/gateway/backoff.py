"""Guessing passwords is slowed by the address it comes from, before auth computes a hash for it.

Failures are counted in this process, and in Redis for all gateways together. Where there is a Redis
that does not answer, this process alone decides, by stricter limits.
"""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol

from redis.exceptions import RedisError

from libs.common.errors import Refusal
from libs.common.failures import WINDOW_SECONDS, Failures
from libs.common.telemetry.logs import logger
from services.gateway.addresses import vicinity
from services.gateway.credentials import Presented
from services.gateway.metrics import SIGN_INS_SLOWED

# Failures in a minute: of one login from an address, and of all logins from it.
MOST_OF_LOGIN: Final = 5
MOST_OF_ADDRESS: Final = 50
STRICTER_OF_LOGIN: Final = 3
STRICTER_OF_ADDRESS: Final = 20
ANSWER_SECONDS: Final = 0.05
REST_SECONDS: Final = 5.0
_log = logger(__name__)


class Store(Protocol):
    """What is asked of Redis."""

    def mget(self, names: list[str]) -> Any: ...
    def delete(self, name: str) -> Any: ...
    def pipeline(self, *, transaction: bool) -> Any: ...


class BackOff:
    """Refuses passwords with 429 after too many that were wrong; tokens are none of its business.

    A password that is being looked at counts as wrong until the answer is there, so that many at once
    are not many guesses. `store` is None where there is no Redis.
    """

    def __init__(self, store: Store | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._failures = Failures(clock)
        self._under_way: Counter[str] = Counter()
        self._resting_until = float("-inf")

    def admit(self, presented: Presented) -> None:
        """Refuse a password where too many have failed here."""
        if presented.user is None:
            return
        for key, most in self._limits(presented):
            if self._failures.count(key) >= most:
                raise _slowed(self._failures.seconds_left(key))

    async def consult(self, presented: Presented) -> None:
        """Refuse a password where too many have failed at all gateways together."""
        if presented.user is None:
            return
        names = [_name(key) for key, _ in self._limits(presented)]
        found = await self._asked(lambda store: store.mget(names))
        if found is None:
            return
        for count, (_, most) in zip(found, self._limits(presented), strict=True):
            if int(count or 0) >= most:
                raise _slowed(int(WINDOW_SECONDS))

    def begin(self, presented: Presented) -> None:
        """A password is about to be looked at; refused where that would be one guess too many."""
        if presented.user is None:
            return
        for key, most in self._limits(presented):
            if self._failures.count(key) + self._under_way[key] >= most:
                raise _slowed(1)
        self._under_way.update(key for key, _ in self._limits(presented))

    def ended(self, presented: Presented) -> None:
        """It has been looked at, or it was given up."""
        if presented.user is None:
            return
        for key, _ in self._limits(presented):
            self._under_way[key] -= 1
            if self._under_way[key] <= 0:
                del self._under_way[key]

    async def failed(self, presented: Presented) -> None:
        """It was wrong."""
        if presented.user is None:
            return
        told = []
        for key, most in self._limits(presented):
            self._failures.add(key)
            # Beyond the limit it is refused here, and need not be told.
            if self._failures.count(key) <= most:
                told.append(_name(key))
        if told:
            await self._asked(lambda store: _count_up(store, told))

    async def succeeded(self, presented: Presented) -> None:
        """It was right: what failed before for this login was its owner's typing."""
        if presented.user is None:
            return
        of_login, _ = self._limits(presented)[0]
        if self._failures.count(of_login):
            self._failures.forget(of_login)
            await self._asked(lambda store: store.delete(_name(of_login)))

    def _limits(self, presented: Presented) -> tuple[tuple[str, int], tuple[str, int]]:
        # A login is the same person in every tenant, however it is written.
        user = presented.user or ""
        login = user.partition("/")[2] or user
        address = vicinity(presented.address)
        by_login = f"{address} {login.casefold()}"
        if self._store is not None and self._clock() < self._resting_until:
            return (by_login, STRICTER_OF_LOGIN), (address, STRICTER_OF_ADDRESS)
        return (by_login, MOST_OF_LOGIN), (address, MOST_OF_ADDRESS)

    async def _asked(self, ask: Callable[[Store], Any]) -> Any:
        """The store's answer, or None where it is absent, resting, slow or broken."""
        if self._store is None or self._clock() < self._resting_until:
            return None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await ask(self._store)
        except (RedisError, OSError, TimeoutError) as problem:
            self._resting_until = self._clock() + REST_SECONDS
            _log.warning("backoff_without_redis", seconds=REST_SECONDS, error=repr(problem))
            return None


def _name(key: str) -> str:
    # Logins are nobody's business in Redis.
    return "gateway:failed:" + hashlib.sha256(key.encode(errors="replace")).hexdigest()


async def _count_up(store: Store, names: list[str]) -> None:
    pipeline = store.pipeline(transaction=True)
    for name in names:
        # The window begins with the first failure (EXPIRE … NX is of a later Redis).
        pipeline.set(name, 0, ex=int(WINDOW_SECONDS), nx=True)
        pipeline.incr(name)
    await pipeline.execute()


def _slowed(seconds: int) -> Refusal:
    SIGN_INS_SLOWED.inc()
    return Refusal(
        "RESOURCE_EXHAUSTED",
        "Too many passwords from this address were wrong, or are being looked at; try again in"
        f" {seconds} s. A token that has been used lately is not slowed.",
        retry_after=seconds,
    )
