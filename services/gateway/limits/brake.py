"""The brake on a flood: who is refused and asks again at once gets the next refusals late.

A refusal costs as much as a small request. A client that does not heed Retry-After and asks as
soon as it is answered would have the gateway do little else, at everybody's expense.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from services.gateway.limits.needs import Tenant
from services.gateway.limits.window import Window

# So many refusals a second of one tenant are given at once.
AT_ONCE: Final = 20
# Each a little longer than the one before, so that those who were refused together come apart.
HELD_SECONDS: Final = 0.75
_STEPS: Final = 16
_STEP_SECONDS: Final = 0.5 / _STEPS
MOST_HELD: Final = 4_000


class Brake:
    """Holds back the refusals of tenants that collect too many of them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._held = 0
        self._step = 0

    async def hold(self, tenant: Tenant) -> None:
        """Return at once, or after about a second where a tenant floods."""
        if tenant.refusals is None:
            tenant.refusals = Window()
        given = tenant.refusals.take(self._clock(), AT_ONCE, 1)
        if given.granted or self._held >= MOST_HELD:
            return
        self._held += 1
        try:
            self._step = (self._step + 1) % _STEPS
            await asyncio.sleep(HELD_SECONDS + self._step * _STEP_SECONDS)
        finally:
            self._held -= 1
