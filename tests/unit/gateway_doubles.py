"""What the gateway's unit tests put in the place of time, auth and Redis."""

import asyncio
from dataclasses import dataclass, field

from libs.common.errors import Refusal, unavailable
from services.gateway.credentials import Presented, Rejected
from services.gateway.exchange import Passport
from services.gateway.principals import Principals
from services.gateway.shared_cache import SharedCache

AUDIENCES = ("auth", "tracking", "registry")
LIFE = 60.0


@dataclass
class Clock:
    """A clock that goes when it is told to."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        """Seconds since 1970."""
        return self.now


def passport(now: float, actor: str = "token-1", life: float = LIFE, version: int = 1) -> Passport:
    """A passport minted at `now`."""
    return Passport(
        principals={name: f"{name}-{actor}-{now}".encode() for name in AUDIENCES},
        actor=actor,
        subject="user:1",
        tenant="00000000-0000-4000-8000-000000000001",
        tenant_no=1,
        plan="free",
        access_version=version,
        minted_at=now,
        renew_at=now + life - 15,
        expires_at=now + life - 5,
    )


@dataclass
class AuthDouble:
    """An exchange that counts its questions, and can be away, slow or refuse."""

    clock: Clock
    actor: str = "token-1"
    version: int = 1
    asked: int = 0
    away: bool = False
    refused: str = ""
    refusal: type[Rejected] = Rejected
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Open the gate: it answers at once."""
        self.gate.set()

    async def __call__(self, presented: Presented) -> Passport:
        """A passport, or the refusal that was asked for."""
        self.asked += 1
        minted = passport(self.clock.now, self.actor, version=self.version)
        await self.gate.wait()
        if self.away:
            raise unavailable("auth is away")
        if self.refused:
            raise self.refusal(self.refused)
        return minted


class StoreDouble:
    """Redis in a dictionary; times out of an entry are not its business."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.asked = 0
        self.trouble: Exception | None = None
        self.hangs = False

    async def get(self, name: str) -> bytes | None:
        """What is held."""
        await self._suffer()
        return self.held.get(name)

    async def set(self, name: str, value: bytes, *, px: int) -> bool:
        """Hold it."""
        assert 0 < px <= LIFE * 1000
        await self._suffer()
        self.held[name] = value
        return True

    async def _suffer(self) -> None:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.trouble is not None:
            raise self.trouble


class World:
    """One gateway's cache with its clock, auth and Redis."""

    def __init__(self, store: StoreDouble | None = None, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.auth = AuthDouble(self.clock)
        self.store = store or StoreDouble()
        self.shared = SharedCache(self.store, AUDIENCES, self.clock)
        self.principals = Principals(self.auth, self.shared, self.clock)
        self.principals.revocations.connected()
        # Time goes on here without heartbeats; what that means is test_gateway_confirmation's.
        self.principals.confirmation.trusted_until = float("inf")

    def was_asked(self) -> bool:
        """Whether auth was asked anything."""
        return self.auth.asked > 0


async def status_of(answer: "asyncio.Future[Passport] | object") -> int:
    """200, or the status of the refusal."""
    try:
        await answer  # type: ignore[misc]
    except Refusal as refusal:
        return refusal.status
    return 200
