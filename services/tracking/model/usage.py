"""What tenants have used of their plans, and the refusals where there is nothing left."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from libs.common.contracts.plans import DEFAULT_PLAN, PLANS, Plan
from libs.common.errors import Refusal, denied

BELIEVED_SECONDS: Final = 1.0
MOST_TENANTS: Final = 20_000
MOST_PARTS_AT_ONCE: Final = 64


@dataclass(slots=True)
class Usage:
    """A tenant's plan, the runs it made today (UTC), and the bytes of its artifacts."""

    plan: str
    runs: int
    stored: int

    def limits(self) -> Plan | None:
        """The plan's numbers: the smallest's where this release does not know it.

        None where auth has not told of a plan: nothing is bounded.
        """
        return (PLANS.get(self.plan) or PLANS[DEFAULT_PLAN]) if self.plan else None

    def insist_on_run(self) -> None:
        """Refuse one more run where those of a day are used up."""
        plan = self.limits()
        if plan is not None and plan.runs and self.runs >= plan.runs:
            raise denied(
                f"Quota of new runs: {self.runs} of the {plan.runs} that the plan {plan.name!r}"
                " allows in a day (UTC) are made. Runs that are there go on. Try again tomorrow, or"
                " ask the platform's operator for a larger plan."
            )

    def bytes_left(self) -> int | None:
        """How much may be stored yet; None for as much as one likes."""
        plan = self.limits()
        return None if plan is None or not plan.storage_bytes else plan.storage_bytes - self.stored

    def nothing_left(self, asked: int) -> Refusal:
        """A 403 for an upload of that many bytes or more, which does not fit."""
        plan = self.limits()
        assert plan is not None
        return denied(
            f"Quota of artifact storage: {self.stored} of the {plan.storage_bytes} bytes that the"
            f" plan {plan.name!r} allows are used, and {asked} more were to be stored. Metrics,"
            " params and tags are still taken. Remove artifacts that are not needed, or ask the"
            " platform's operator for a larger plan."
        )


class Seen:
    """What was last read of tenants' usage, believed for a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[int, tuple[float, Usage]] = {}

    def of(self, tenant_no: int) -> Usage | None:
        """A tenant's usage, None where it has to be read."""
        until, usage = self._seen.get(tenant_no, (0.0, None))
        return usage if until > self._clock() else None

    def keep(self, tenant_no: int, usage: Usage) -> None:
        """It was read just now."""
        if len(self._seen) >= MOST_TENANTS:
            self._seen.clear()
        self._seen[tenant_no] = self._clock() + BELIEVED_SECONDS, usage


class Receiving:
    """The parts that this process is receiving just now, by tenant: how many, and their bytes.

    A part comes without a credential, so its tenant's places at the gateway do not bound it.
    """

    def __init__(self) -> None:
        self._parts: dict[int, list[int]] = {}

    @contextmanager
    def entered(self, tenant_no: int, length: int) -> Iterator[int]:
        """A part of so many bytes comes; gives the bytes of those that came before and still come."""
        parts = self._parts.setdefault(tenant_no, [])
        if len(parts) >= MOST_PARTS_AT_ONCE:
            raise Refusal(
                "RESOURCE_EXHAUSTED",
                f"{MOST_PARTS_AT_ONCE} parts of the tenant's uploads are coming already.",
                retry_after=1,
            )
        others = sum(parts)
        parts.append(length)
        try:
            yield others
        finally:
            parts.remove(length)
            if not parts:
                self._parts.pop(tenant_no, None)
