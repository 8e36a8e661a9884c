"""What the unit tests of the limits put in the place of Redis and of plans."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from libs.common.contracts.plans import PLANS, Plan
from services.gateway.exchange import Passport
from services.gateway.limits.shared import Want
from services.gateway.limits.window import Given, Window
from tests.unit.gateway_doubles import Clock, passport


@dataclass
class SharedDouble:
    """Redis' windows in memory; can be away, and can lose everything."""

    clock: Clock
    away: bool = False
    asked: int = 0
    windows: dict[str, Window] = field(default_factory=dict)

    async def take(self, wants: Sequence[Want]) -> list[Given] | None:
        """What each window gives."""
        self.asked += 1
        if self.away:
            return None
        return [self._given(want) for want in wants]

    def _given(self, want: Want) -> Given:
        window = self.windows.setdefault(want.key, Window())
        window.give_back(want.back_slot, want.back)
        return window.take(self.clock.now, want.limit, want.wanted)


def plan(**limits: int) -> Plan:
    """A plan without limits but for those that are named."""
    return msgspec.structs.replace(PLANS["unlimited"], name="tested", **limits)


def holder(subject: str = "user:1", tenant_no: int = 1, of: str = "tested") -> Passport:
    """The passport of a principal on a plan."""
    changed: Any = {"subject": subject, "tenant_no": tenant_no, "plan": of}
    return msgspec.structs.replace(passport(0.0), **changed)
