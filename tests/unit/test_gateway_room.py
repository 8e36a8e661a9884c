"""The waiting room: writes of a running run are delayed, then told when their place is theirs."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.http.types import Message
from services.gateway.limits import brake
from services.gateway.limits import line as lines
from services.gateway.limits import room as rooms
from services.gateway.limits.bodies import Recognised
from services.gateway.limits.limits import Limits, Over
from services.gateway.limits.line import Line, Ticket
from services.gateway.limits.needs import Blocked, Needs, Tenant
from services.gateway.limits.shared import SharedWindows
from services.gateway.routes import READ, RUNNING, WRITE, Work
from services.gateway.settings import Settings
from tests.unit.limit_doubles import holder, plan
from tests.waiting import eventually


@asynccontextmanager
async def limits(delay: float = 10.0, **numbers: int) -> AsyncIterator[Limits]:
    """Limits of this process alone, under a plan with these numbers."""
    tested = {"tested": plan(**numbers), "free": plan()}
    made = Limits(SharedWindows(None), Settings(delay_seconds=delay), tested)
    try:
        yield made
    finally:
        await made.close()


def again(name: str) -> Recognised:
    """A request that is the same when its name is."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    return Recognised(receive, [], name)


async def ask(
    made: Limits, work: Work = RUNNING, subject: str = "user:1", name: str = ""
) -> int | None:
    """None when let in; else Retry-After."""
    needs = made.needs(holder(subject), work)
    try:
        await made.enter(needs, again(name or subject) if work.of_a_running_run else None)
    except Over as over:
        return over.retry_after
    made.leave(needs)
    return None


async def test_a_running_runs_write_waits_for_its_turn_and_everything_else_does_not() -> None:
    async with limits(tenant_rps=5) as made:
        for _ in range(5):
            assert await ask(made) is None
        assert await ask(made, WRITE) in {1, 2}
        assert await ask(made, READ) in {1, 2}
        started = time.monotonic()
        assert await ask(made) is None
        assert 0.5 < time.monotonic() - started < 5


async def test_many_who_wait_are_served_at_the_rate_of_the_limit() -> None:
    async with limits(tenant_rps=20) as made:
        started = time.monotonic()
        assert await asyncio.gather(*(ask(made) for _ in range(60))) == [None] * 60
        assert 1.9 < time.monotonic() - started < 9


async def test_nobody_waits_longer_than_the_delay_and_the_answer_says_when_to_come_back() -> None:
    async with limits(0.2, tenant_rps=1) as made:
        assert await ask(made) is None
        started = time.monotonic()
        waits = await asyncio.gather(*(ask(made) for _ in range(5)))
        assert 0.15 < time.monotonic() - started < 3
        assert waits == [1, 2, 3, 4, 5]


async def test_who_comes_back_in_time_goes_before_all_who_came_later() -> None:
    async with limits(3.0, tenant_rps=1) as made:
        assert await ask(made) is None
        made._room._delay = 0.05
        assert await ask(made, subject="early") == 1
        made._room._delay = 5.0
        served: list[str] = []

        async def later(subject: str) -> None:
            assert await ask(made, subject=subject) is None
            served.append(subject)

        others = [asyncio.create_task(later(f"late-{number}")) for number in range(3)]
        await eventually(lambda: made._room._waiting == 3)
        back = asyncio.create_task(later("early"))
        await asyncio.wait([*others, back], timeout=20)
        assert served[0] == "early"


async def test_a_place_is_kept_for_the_same_request_and_not_for_another() -> None:
    async with limits(0.05, tenant_rps=1) as made:
        assert await ask(made) is None
        assert await ask(made, name="first") == 1
        assert await ask(made, name="second") == 2
        assert await ask(made, name="third") == 3
        assert await ask(made, name="second") == 2
        assert await ask(made, name="first") == 1


async def test_while_others_wait_nobody_overtakes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brake, "AT_ONCE", 10_000)
    async with limits(tenant_rps=4) as made:
        assert [await ask(made) for _ in range(4)] == [None] * 4
        waiting = [asyncio.create_task(ask(made)) for _ in range(6)]
        await eventually(lambda: made._room._waiting == 6)
        overtook = 0
        while made._room._waiting:
            overtook += await ask(made, READ, subject="reader") is None and made._room._waiting > 0
            await asyncio.sleep(0.002)
        assert overtook == 0
        assert await asyncio.gather(*waiting) == [None] * 6


async def test_one_principals_limit_does_not_hold_up_another() -> None:
    async with limits(tenant_rps=100, principal_rps=2) as made:
        for _ in range(2):
            assert await ask(made, subject="busy") is None
        waiting = asyncio.create_task(ask(made, subject="busy"))
        await eventually(lambda: made._room._waiting == 1)
        started = time.monotonic()
        assert await ask(made, subject="calm") is None
        assert time.monotonic() - started < 0.5
        assert await waiting is None


async def test_waiting_and_kept_places_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "MOST_WAITING_OF_A_TENANT", 3)
    monkeypatch.setattr(rooms, "MOST_KEPT_OF_A_TENANT", 4)
    async with limits(0.5, tenant_rps=1) as made:
        assert await ask(made) is None
        asked = [asyncio.create_task(ask(made, subject=str(n))) for n in range(20)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert made._room._waiting <= 3
        await asyncio.wait(asked)
        line = made.needs(holder(), RUNNING).tenant.line
        assert line is not None
        assert line.away <= 4
        assert made._room._kept == line.away


async def test_places_that_nobody_came_back_for_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "MOST_KEPT_OF_A_TENANT", 2)
    monkeypatch.setattr(rooms, "KEPT_SECONDS", -60.0)
    monkeypatch.setattr(rooms, "_PRUNING_SECONDS", 0.0)
    async with limits(0.01, tenant_rps=1) as made:
        assert await ask(made) is None
        for number in range(7):
            assert await ask(made, name=str(number)) is not None
            line = made.needs(holder(), RUNNING).tenant.line
            assert line is not None
            assert 1 <= line.away == made._room._kept <= 2


async def test_a_place_of_the_tenant_is_waited_for_until_a_request_ends() -> None:
    async with limits(concurrent=1) as made:
        needs = made.needs(holder(), WRITE)
        await made.enter(needs)
        assert await ask(made, READ) == 1
        waiting = asyncio.create_task(ask(made))
        await eventually(lambda: made._room._waiting == 1)
        made.leave(needs)
        assert await asyncio.wait_for(waiting, 5) is None
        assert needs.tenant.open == 0


async def test_a_client_that_leaves_while_it_waits_takes_nothing_with_it() -> None:
    async with limits(concurrent=1) as made:
        needs = made.needs(holder(), WRITE)
        await made.enter(needs)
        waiting = [asyncio.create_task(ask(made)) for _ in range(3)]
        await eventually(lambda: made._room._waiting == 3)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        assert made._room._waiting == 0
        made.leave(needs)
        assert needs.tenant.open == 0
        assert await ask(made) is None
        await eventually(lambda: needs.tenant.line is None)


def test_places_are_kept_in_order_and_forgotten_in_time() -> None:
    @given(
        st.lists(
            st.tuples(st.sampled_from("abc"), st.floats(0, 100), st.booleans()),
            max_size=40,
        )
    )
    def check(steps: list[tuple[str, float, bool]]) -> None:
        with asyncio.Runner() as runner:
            runner.run(_walk(steps, lines.Line))

    check()


async def _walk(steps: list[tuple[str, float, bool]], new: Callable[[], Line]) -> None:
    line, tenant, kept = new(), Tenant(), dict[str, list[tuple[int, float]]]()
    for number, (subject, seconds, claims) in enumerate(steps):
        if claims:
            now = seconds
            ticket = line.claimed(subject.encode(), now)
            expected = kept.get(subject, [])
            while expected and expected[0][1] <= now:
                expected.pop(0)
            assert (ticket.number if ticket else None) == (expected.pop(0)[0] if expected else None)
        else:
            line.keep(
                Ticket(number, Needs(tenant, subject, plan(), (), 1), subject.encode()), seconds
            )
            kept.setdefault(subject, []).append((number, seconds))
    assert line.away == sum(map(len, kept.values()))
    line.prune(50.0)
    assert line.away == sum(until > 50.0 for places in kept.values() for _, until in places)


def test_the_time_to_come_back_counts_only_those_in_the_way() -> None:
    async def check() -> None:
        line, tenant = Line(), Tenant()
        blocked = Blocked(tenant, "concurrent", 2, 0.0)
        for number in range(10):
            line.keep(Ticket(number, Needs(tenant, "a", plan(), (), 1), bytes([number])), 100.0)
        last = Ticket(10, Needs(tenant, "last", plan(), (), 1), b"last")
        first = Ticket(0, Needs(tenant, "first", plan(), (), 1), b"first")
        assert line.seconds_until(last, blocked) == 6
        assert line.seconds_until(first, blocked) == 1

    with asyncio.Runner() as runner:
        runner.run(check())
