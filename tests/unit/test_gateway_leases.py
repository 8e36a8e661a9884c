"""Windows and leases: never more than the limit and one lease in any second, whatever Redis does."""

import asyncio
from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from services.gateway.limits.book import Book
from services.gateway.limits.lease import Lease, most_held
from services.gateway.limits.window import Window
from tests.unit.gateway_doubles import Clock
from tests.unit.limit_doubles import SharedDouble


class OneGateway(RuleBasedStateMachine):
    """Requests at any pace, while Redis is there, away or emptied."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = Clock(1000.0)
        self.shared = SharedDouble(self.clock)
        self.admitted: deque[float] = deque()

    @initialize(limit=st.integers(1, 60))
    def begin(self, limit: int) -> None:
        """A key of its own."""
        book = Book(self.shared, clock=self.clock)  # type: ignore[arg-type]
        self.book, self.limit = book, limit
        self.leases: list[Lease] = [book.lease("limit:1:tenant", "tenant", limit)]

    @rule(seconds=st.floats(0.0005, 0.6))
    def time_passes(self, seconds: float) -> None:
        """Nobody asks for a while."""
        self.clock.now += seconds

    @rule(count=st.integers(1, 80), pause=st.sampled_from([0.0, 0.0007, 0.004, 0.03]))
    def requests(self, count: int, pause: float) -> None:
        """A burst, or a stream."""
        for _ in range(count):
            if self.runner.run(self.book.taken(self.leases)) is None:
                self.note()
            self.clock.now += pause

    @rule()
    def redis_goes(self) -> None:
        """Redis is away from now on."""
        self.shared.away = True

    @precondition(lambda self: self.shared.away)
    @rule()
    def redis_comes_back(self) -> None:
        """With what it had."""
        self.shared.away = False

    @rule()
    def redis_is_emptied(self) -> None:
        """As FLUSHALL does."""
        self.shared.windows.clear()

    def note(self) -> None:
        """One was let in: no second holds too many."""
        now = self.clock.now
        self.admitted.append(now)
        while self.admitted[0] <= now - 1.0:
            self.admitted.popleft()
        assert len(self.admitted) <= self.limit + most_held(self.limit)

    def teardown(self) -> None:
        """End the loop."""
        self.runner.close()


TestOneGateway = OneGateway.TestCase
TestOneGateway.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_a_window_gives_its_limit_and_then_after_a_second_again() -> None:
    window = Window()
    assert window.take(10.0, 5, 3).granted == 3
    second = window.take(10.5, 5, 3)
    assert (second.granted, second.free) == (2, 0)
    closed = window.take(10.9, 5, 3)
    assert closed.granted == 0
    assert 0.1 <= closed.wait <= 0.13
    assert window.take(10.9 + closed.wait, 5, 3).granted == 3


def test_what_comes_back_unused_can_be_had_again() -> None:
    window = Window()
    given = window.take(10.0, 5, 5)
    window.give_back(given.slot, 4)
    assert window.take(10.1, 5, 5).granted == 4


async def test_a_full_allowance_is_used_though_requests_come_seldom() -> None:
    """Leases that lapse are given back: a client at half its limit is never refused."""
    clock = Clock(1000.0)
    book = Book(SharedDouble(clock), clock=clock)  # type: ignore[arg-type]
    leases = [book.lease("limit:1:tenant", "tenant", 20)]
    for _ in range(400):
        assert await book.taken(leases) is None
        clock.now += 0.1


async def test_all_that_lack_something_are_filled_in_one_question() -> None:
    clock = Clock(1000.0)
    shared = SharedDouble(clock)
    book = Book(shared, clock=clock)  # type: ignore[arg-type]
    needs = [[book.lease(f"limit:{n}:tenant", "tenant", 50)] for n in range(100)]
    answers = await asyncio.gather(*(book.taken(leases) for leases in needs))
    assert answers == [None] * 100
    assert shared.asked == 1


async def test_a_closed_key_costs_no_question() -> None:
    clock = Clock(1000.0)
    shared = SharedDouble(clock)
    book = Book(shared, clock=clock)  # type: ignore[arg-type]
    leases = [book.lease("limit:1:tenant", "tenant", 1)]
    assert await book.taken(leases) is None
    assert await book.taken(leases) is leases[0]
    asked = shared.asked
    for _ in range(100):
        assert await book.taken(leases) is leases[0]
    assert shared.asked == asked
    clock.now = leases[0].closed_until
    assert await book.taken(leases) is None


async def test_alone_a_gateway_has_its_share() -> None:
    clock = Clock(1000.0)
    book = Book(SharedDouble(clock, away=True), replicas=3, clock=clock)  # type: ignore[arg-type]
    leases = [book.lease("limit:1:tenant", "tenant", 30)]
    assert [await book.taken(leases) for _ in range(30)].count(None) == 10


async def test_nothing_is_spent_where_one_tier_is_closed() -> None:
    clock = Clock(1000.0)
    book = Book(SharedDouble(clock), clock=clock)  # type: ignore[arg-type]
    wide = book.lease("limit:1:tenant", "tenant", 10)
    narrow = book.lease("limit:1:principal:a", "principal", 1)
    assert await book.taken([wide, narrow]) is None
    for _ in range(20):
        assert await book.taken([wide, narrow]) is narrow
    assert [await book.taken([wide]) for _ in range(12)].count(None) == 9


async def test_idle_keys_are_forgotten() -> None:
    clock = Clock(1000.0)
    book = Book(SharedDouble(clock), clock=clock)  # type: ignore[arg-type]
    for number in range(1000):
        await book.taken([book.lease(f"limit:{number}:tenant", "tenant", 5)])
    clock.now += 60
    busy = book.lease("limit:x:tenant", "tenant", 5)
    await book.taken([busy])
    book._forget_idle()
    assert list(book._leases.values()) == [busy]
