"""Whether revocations arrive: confirmed by heartbeat or feed, asked for where they may be missing."""

import asyncio
from dataclasses import dataclass, field

from libs.common.access.feed import Feed, Revocation
from libs.common.errors import unavailable
from services.gateway import confirmation as confirmation_module
from services.gateway.confirmation import TRUSTED_SECONDS, Confirmation
from services.gateway.credentials import Presented
from services.gateway.principals import Principals
from services.gateway.shared_cache import SharedCache
from tests.unit.gateway_doubles import AUDIENCES, AuthDouble, Clock, StoreDouble, status_of
from tests.waiting import eventually

ALICE = Presented("Bearer", "mst_alice")
# auth's database is this far ahead of the gateway.
AHEAD = 1000.0


@dataclass
class FeedDouble:
    """auth's feed: what it holds, what it was asked, and whether it is away."""

    clock: Clock
    held: list[Revocation] = field(default_factory=list)
    settled: int = 0
    asked: list[int] = field(default_factory=list)
    away: bool = False
    whole: bool = True

    async def __call__(self, after: int) -> Feed:
        """What ended after a number."""
        self.asked.append(after)
        if self.away:
            raise unavailable("auth is away")
        later = [told for told in self.held if told.number > after]
        last = max([told.number for told in self.held], default=0)
        time = self.clock.now + AHEAD
        return Feed(later, max(last, after), max(self.settled, after), time, self.whole)


class World:
    """A gateway that is connected and has asked once."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.auth = AuthDouble(self.clock)
        self.feed = FeedDouble(self.clock)
        shared = SharedCache(StoreDouble(), AUDIENCES, self.clock)
        self.principals = Principals(self.auth, shared, self.clock)

    @property
    def confirmation(self) -> Confirmation:
        """What is tested here."""
        return self.principals.confirmation

    @classmethod
    async def connected(cls) -> "World":
        """With the broadcast heard."""
        world = cls()
        world.confirmation.connected()
        await world.look()
        world.feed.asked.clear()
        return world

    async def look(self) -> None:
        """The worker's turn."""
        await self.confirmation.look(self.feed)

    def beat(self, last: int = 0, late: float = 0.0) -> None:
        """A heartbeat arrives that was told `late` seconds ago."""
        self.confirmation.heartbeat(self.clock.now + AHEAD - late, last)

    async def status(self) -> int:
        """What Alice's request is answered."""
        return await status_of(self.principals.passport(ALICE))


async def test_while_the_heart_beats_nobody_asks_auth() -> None:
    world = await World.connected()
    for _ in range(300):
        world.clock.now += 1
        world.beat()
        await world.look()
    assert world.feed.asked == []
    assert world.confirmation.silence == 0


async def test_three_silent_seconds_and_auth_is_asked_until_the_heart_beats_again() -> None:
    world = await World.connected()
    world.clock.now += 2.9
    await world.look()
    assert world.feed.asked == []
    for _ in range(3):
        world.clock.now += 1
        await world.look()
    assert world.feed.asked == [0, 0, 0]
    world.clock.now += 1
    world.beat()
    world.clock.now += 1
    await world.look()
    assert world.feed.asked == [0, 0, 0]


async def test_a_revocation_that_the_feed_tells_acts_as_one_that_was_heard() -> None:
    world = await World.connected()
    await world.status()
    world.feed.held = [Revocation(7, "token", 1, "token-1")]
    world.clock.now += 3
    await world.look()
    assert await world.status() == 401
    assert world.auth.asked == 1, "known to be revoked without asking"


async def test_a_heartbeat_that_names_an_unknown_number_has_auth_asked_at_once() -> None:
    world = await World.connected()
    await world.status()
    world.feed.held = [Revocation(7, "token", 1, "token-1")]
    world.clock.now += 1
    world.beat(last=7)
    assert not world.confirmation.complete
    await world.look()
    assert await world.status() == 401
    world.beat(last=7)
    await world.look()
    assert world.feed.asked == [0]


async def test_what_may_still_be_committed_is_asked_for_again_and_acts_once() -> None:
    world = await World.connected()
    suspended = Revocation(9, "tenant", 1, "a tenant", version=2)
    world.feed.held, world.feed.settled = [suspended], 4
    world.clock.now += 3
    await world.look()
    world.clock.now += 1
    assert await world.status() == 200, "resumed by now"
    world.feed.held = [Revocation(8, "token", 1, "token-of-another"), suspended]
    world.clock.now += 3
    await world.look()
    assert world.feed.asked == [0, 4]
    assert world.principals.revocations.covers("token-of-another")
    assert await world.status() == 200
    assert world.auth.asked == 1, "not dropped again by what was known"


async def test_what_had_a_lower_number_and_was_committed_later_is_looked_for_once() -> None:
    world = await World.connected()
    world.feed.held = [Revocation(9, "token", 1, "quick")]
    world.beat(last=9)
    await world.look()
    world.feed.held = [Revocation(8, "token", 1, "slow"), *world.feed.held]
    world.feed.settled = 9
    for _ in range(40):
        world.clock.now += 1
        world.beat(last=9)
        await world.look()
    assert world.principals.revocations.covers("slow")
    assert world.feed.asked == [0, 0]


async def test_after_a_reconnect_what_was_missed_is_made_up_for_and_the_rest_stays() -> None:
    world = await World.connected()
    await world.status()
    world.feed.held = [Revocation(7, "token", 1, "token-of-another")]
    world.confirmation.connected()
    await world.look()
    assert await world.status() == 200
    assert world.auth.asked == 1
    assert world.principals.revocations.covers("token-of-another")


async def test_a_reconnect_while_auth_is_asked_has_it_asked_again() -> None:
    world = await World.connected()

    async def meanwhile(after: int) -> Feed:
        world.confirmation.connected()
        return await world.feed(after)

    world.confirmation.connected()
    await world.confirmation.look(meanwhile)
    assert not world.confirmation.complete
    await world.look()
    assert world.confirmation.complete


async def test_with_auth_away_too_a_minute_is_trusted_and_then_it_is_503() -> None:
    world = await World.connected()
    world.feed.away = True
    # Minted late, so that it is not its own life that ends it.
    world.clock.now += 30
    assert await world.status() == 200
    world.auth.away = True
    world.clock.now += 30
    await world.look()
    assert await world.status() == 200
    world.clock.now += 0.1
    assert await world.status() == 503
    world.auth.away = world.feed.away = False
    await world.look()
    assert await world.status() == 200
    assert world.auth.asked == 2, "the passport was there all the time"


async def test_a_gap_that_is_not_made_up_for_is_not_confirmed_by_a_heartbeat() -> None:
    world = await World.connected()
    world.feed.away = True
    world.confirmation.connected()
    for _ in range(int(TRUSTED_SECONDS)):
        world.clock.now += 1
        world.beat()
        await world.look()
    assert world.confirmation.silence == TRUSTED_SECONDS
    assert len(world.feed.asked) == TRUSTED_SECONDS


async def test_heartbeats_that_come_late_confirm_only_what_was_told_before_them() -> None:
    world = await World.connected()
    world.clock.now += 20
    world.beat(late=10)
    assert world.confirmation.silence == 10
    world.beat(late=15)
    assert world.confirmation.silence == 10
    await world.look()
    assert len(world.feed.asked) == 1


async def test_a_clock_that_is_set_back_does_not_end_the_asking() -> None:
    world = await World.connected()
    world.clock.now -= 3600
    world.beat()
    world.clock.now += 3.1
    await world.look()
    assert len(world.feed.asked) == 1


async def test_more_than_the_feed_tells_has_everything_forgotten() -> None:
    world = await World.connected()
    await world.status()
    world.feed.whole = False
    world.clock.now += 3
    await world.look()
    await world.status()
    assert world.auth.asked == 2


async def test_the_worker_asks_at_once_when_something_is_missing() -> None:
    world = await World.connected()
    worker = asyncio.create_task(world.confirmation.run(world.feed))
    try:
        world.feed.held = [Revocation(7, "token", 1, "token-1")]
        world.beat(last=7)
        await eventually(lambda: world.feed.asked, within=confirmation_module.POLL_SECONDS / 2)
    finally:
        worker.cancel()


async def test_a_suspension_that_only_the_feed_tells_cuts_whole_requests_and_a_change_does_not() -> (
    None
):
    world = await World.connected()
    with world.principals.open_requests.entered(await world.principals.passport(ALICE)) as request:
        request.attach(end=lambda: None, stage=lambda: "waits")
        world.feed.held = [Revocation(7, "subject", 1, "user:1", version=2)]
        world.confirmation.heartbeat(world.clock.now + AHEAD, 7)
        await world.confirmation.look(world.feed)
        # What a change ends is asked again, and a whole request is answered.
        changed = request.refusal
        world.feed.held.append(Revocation(8, "subject", 1, "user:1", version=3, active=False))
        world.confirmation.heartbeat(world.clock.now + AHEAD, 8)
        await world.confirmation.look(world.feed)
        assert changed is None
        assert request.refusal is not None
        assert "the account is suspended" in request.refusal.message
