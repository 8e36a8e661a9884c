"""The passwords of this process: hashed one at a time in a thread, and remembered for minutes.

What is remembered of a password that fitted is an HMAC under a key made at the start, over the login,
the stored hash and the password: a changed password is another stored hash, and never known.
"""

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from libs.common.errors import unavailable
from libs.common.failures import Failures
from services.auth.metrics import PASSWORDS_HASHED, PASSWORDS_TURNED_AWAY
from services.auth.model.passwords import hash_password, verify

REMEMBERED_SECONDS: Final = 300.0
MOST_REMEMBERED: Final = 20_000
# Those behind would wait longer than the gateway waits for auth.
MOST_WAITING: Final = 16
_RETRY_SECONDS: Final = 2
_Result = TypeVar("_Result")


class Passwords:
    """Hashes and verifies in one thread of its own, as each hash takes 64 MiB.

    `failures` counts wrong old passwords by user, where a password is changed; the gateway counts
    those that are signed in with.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.failures = Failures(clock)
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="argon2")
        self._waiting = 0
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, float] = OrderedDict()
        self._flights: dict[bytes, asyncio.Task[bool]] = {}
        # Who has no password costs the time of one that does not fit.
        self._decoy: Future[str] = self._thread.submit(hash_password, secrets.token_urlsafe(32))

    async def hash(self, password: str) -> str:
        """What to store of a new password; a refusal 503 where too many wait."""
        return await self._in_turn(lambda: hash_password(password))

    async def fits(self, login: str, password: str, stored: str | None) -> bool:
        """Whether a password is the one stored for a login; `stored` is None where there is none.

        The same question asked by many at once is answered once; a refusal 503 where too many wait.
        """
        mark = self._mark(login, password, stored)
        until = self._known.get(mark)
        if until is not None and until > self._clock():
            return True
        flight = self._flights.get(mark)
        if flight is None:
            flight = asyncio.create_task(self._verify(mark, password, stored))
            self._flights[mark] = flight
            flight.add_done_callback(lambda done: self._landed(mark, done))
        return await asyncio.shield(flight)

    def close(self) -> None:
        """End the thread; what waits for it is given up."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _landed(self, mark: bytes, flight: asyncio.Task[bool]) -> None:
        self._flights.pop(mark, None)
        if not flight.cancelled():
            flight.exception()  # taken note of, where everybody who asked has left

    async def _verify(self, mark: bytes, password: str, stored: str | None) -> bool:
        def work() -> bool:
            # The thread made the decoy before anything else.
            fits = verify(password, self._decoy.result() if stored is None else stored)
            return fits and stored is not None

        fits = await self._in_turn(work)
        if fits:
            self._known[mark] = self._clock() + REMEMBERED_SECONDS
            self._known.move_to_end(mark)
            if len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        return fits

    async def _in_turn(self, work: Callable[[], _Result]) -> _Result:
        if self._waiting >= MOST_WAITING:
            PASSWORDS_TURNED_AWAY.inc()
            raise unavailable(
                "Too many passwords are being checked; try again.", retry_after=_RETRY_SECONDS
            )
        self._waiting += 1
        try:
            PASSWORDS_HASHED.inc()
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self._waiting -= 1

    def _mark(self, login: str, password: str, stored: str | None) -> bytes:
        parts = [text.encode(errors="replace") for text in (login, stored or "", password)]
        told = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(self._key, told, "sha256")
