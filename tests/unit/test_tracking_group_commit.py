"""Group commit: who is flushed with whom, and who is answered with what."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field

import pytest

from libs.common.errors import Refusal, unavailable
from services.tracking.commands import group_commit
from services.tracking.commands.group_commit import GroupCommit, LockedOut
from tests.waiting import eventually


@dataclass(frozen=True)
class Wish:
    """A write of a test."""

    tenant_no: int
    name: str
    entries: int = 1
    alone: Hashable | None = None
    bad: bool = False


@dataclass
class Ledger:
    """A flush that keeps what it was given, and waits at a gate."""

    stored: list[str] = field(default_factory=list)
    flushes: list[list[str]] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    away: bool = False
    locked_tenant: int | None = None
    slow_tenant: int | None = None
    slow: asyncio.Event = field(default_factory=asyncio.Event)

    async def flush(self, wishes: Sequence[Wish]) -> list[str]:
        self.flushes.append([wish.name for wish in wishes])
        await self.open.wait()
        if {wish.tenant_no for wish in wishes} == {self.slow_tenant}:
            await self.slow.wait()
        if self.away:
            raise unavailable("away")
        if self.locked_tenant in {wish.tenant_no for wish in wishes}:
            raise LockedOut
        if any(wish.bad for wish in wishes):
            raise ValueError("a value that nobody foresaw")
        self.stored += [wish.name for wish in wishes]
        return [f"done {wish.name}" for wish in wishes]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


async def outcomes(committing: GroupCommit[Wish, str], wishes: Sequence[Wish]) -> list[object]:
    return await asyncio.gather(*map(committing.commit, wishes), return_exceptions=True)


async def gathered(ledger: Ledger, wishes: Sequence[Wish]) -> list[object]:
    """What is answered when all wishes come while two flushes are under way."""
    committing = GroupCommit(ledger.flush)
    first = [asyncio.create_task(committing.commit(Wish(0, f"first {n}"))) for n in range(2)]
    while len(ledger.flushes) < 1:
        await asyncio.sleep(0)
    everybody = asyncio.create_task(outcomes(committing, wishes))
    for _ in range(5):
        await asyncio.sleep(0)
    ledger.open.set()
    answers = await everybody
    await asyncio.gather(*first, return_exceptions=True)
    await committing.close()
    return answers


async def test_what_comes_during_a_flush_is_committed_together(ledger: Ledger) -> None:
    wishes = [Wish(1, f"w{number}") for number in range(60)]
    answers = await gathered(ledger, wishes)
    assert answers == [f"done {wish.name}" for wish in wishes]
    assert len(ledger.flushes) <= 4


async def test_one_bad_write_among_63_is_answered_alone(ledger: Ledger) -> None:
    wishes = [Wish(1, f"w{number}", bad=number == 41) for number in range(63)]
    answers = await gathered(ledger, wishes)
    failed = [number for number, answer in enumerate(answers) if isinstance(answer, Exception)]
    assert failed == [41]
    assert isinstance(answers[41], ValueError)
    assert sorted(set(ledger.stored) - {"first 0", "first 1"}) == sorted(
        f"w{number}" for number in range(63) if number != 41
    )
    assert len(ledger.stored) == len(set(ledger.stored))


async def test_a_database_away_refuses_everybody_at_once(ledger: Ledger) -> None:
    ledger.away = True
    answers = await gathered(ledger, [Wish(1, f"w{number}") for number in range(20)])
    assert all(isinstance(answer, Refusal) and answer.status == 503 for answer in answers)
    # Nobody searched for a culprit.
    assert len(ledger.flushes) <= 4


async def test_tenants_take_turns(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MOST_WRITES", 10)
    many = [Wish(1, f"many {number}") for number in range(50)]
    await gathered(ledger, [*many, Wish(2, "one of another")])
    (place,) = [n for n, flush in enumerate(ledger.flushes) if "one of another" in flush]
    assert place <= 2


async def test_a_tenant_whose_writes_wait_for_a_lock_holds_up_nobody(ledger: Ledger) -> None:
    ledger.locked_tenant = 7
    wishes = [Wish(7 if number % 3 == 0 else number, f"w{number}") for number in range(1, 31)]
    answers = await gathered(ledger, wishes)
    for wish, answer in zip(wishes, answers, strict=True):
        if wish.tenant_no == 7:
            assert isinstance(answer, Refusal)
            assert answer.status == 503
        else:
            assert answer == f"done {wish.name}"


async def test_a_flush_that_takes_long_keeps_its_own_tenant_alone(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "APART_SECONDS", 0.02)
    ledger.slow_tenant = 7
    ledger.open.set()
    committing = GroupCommit(ledger.flush)
    slow = [asyncio.create_task(committing.commit(Wish(7, "s0")))]
    await eventually(lambda: ledger.flushes)
    for number in range(1, 20):
        slow.append(asyncio.create_task(committing.commit(Wish(7, f"s{number}"))))
        async with asyncio.timeout(5):
            assert await committing.commit(Wish(number + 10, f"w{number}")) == f"done w{number}"
    assert not [task for task in slow if task.done()]
    # What came meanwhile waits for the first.
    ledger.slow.set()
    assert await asyncio.gather(*slow) == [f"done s{number}" for number in range(20)]
    await committing.close()


async def test_a_flush_that_takes_long_ends_with_the_service(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "APART_SECONDS", 0.02)
    ledger.slow_tenant = 7
    ledger.open.set()
    committing = GroupCommit(ledger.flush)
    slow = [asyncio.create_task(committing.commit(Wish(7, f"s{number}"))) for number in range(3)]
    await eventually(lambda: ledger.flushes)
    assert await committing.commit(Wish(8, "other")) == "done other"
    await committing.close()
    answers = await asyncio.gather(*slow, return_exceptions=True)
    assert all(isinstance(answer, Refusal) and answer.status == 503 for answer in answers)


async def test_what_must_stand_alone_waits_for_the_next_flush(ledger: Ledger) -> None:
    wishes = [Wish(1, "a", alone="run"), Wish(1, "b", alone="run"), Wish(2, "c", alone="other")]
    answers = await gathered(ledger, wishes)
    assert answers == ["done a", "done b", "done c"]
    assert not [flush for flush in ledger.flushes if {"a", "b"} <= set(flush)]


async def test_too_much_that_waits_is_refused_and_the_rest_goes_on(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MOST_WAITING_OF_A_TENANT", 100)
    wishes = [Wish(1, f"w{number}", entries=30) for number in range(6)] + [Wish(2, "other")]
    answers = await gathered(ledger, wishes)
    refused = [answer for answer in answers if isinstance(answer, Refusal)]
    assert len(refused) == 3
    assert {(refusal.status, refusal.retry_after) for refusal in refused} == {(503, 1)}
    assert answers[-1] == "done other"


async def test_who_waits_when_the_service_ends_is_told_to_come_again(ledger: Ledger) -> None:
    committing = GroupCommit(ledger.flush)
    waiting = [asyncio.create_task(committing.commit(Wish(n, f"w{n}"))) for n in range(10)]
    while not ledger.flushes:
        await asyncio.sleep(0)
    await committing.close()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(answer, Refusal) and answer.status == 503 for answer in answers)


async def test_a_client_that_leaves_takes_nobody_with_it(ledger: Ledger) -> None:
    committing = GroupCommit(ledger.flush)
    leaves = asyncio.create_task(committing.commit(Wish(1, "leaves")))
    stays = asyncio.create_task(committing.commit(Wish(1, "stays")))
    while not ledger.flushes:
        await asyncio.sleep(0)
    leaves.cancel()
    ledger.open.set()
    assert await stays == "done stays"
    await committing.close()


async def test_what_comes_as_the_last_flush_ends_is_flushed_too(ledger: Ledger) -> None:
    ledger.open.set()
    committing = GroupCommit(ledger.flush)
    async with asyncio.timeout(20):
        for number in range(50):
            first = asyncio.create_task(committing.commit(Wish(1, f"a {number}")))
            for _ in range(number % 8):
                await asyncio.sleep(0)
            assert await committing.commit(Wish(2, f"b {number}")) == f"done b {number}"
            await first
    await committing.close()


async def test_who_writes_on_and_on_goes_together(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "GATHER_SECONDS", 600.0)
    committing = GroupCommit(slow(ledger))

    async def write(name: str) -> None:
        for number in range(5):
            await committing.commit(Wish(1, f"{name}{number}"))

    clients = [asyncio.create_task(write(name)) for name in "ab"]
    await eventually(lambda: ledger.flushes)
    clients += [asyncio.create_task(write(name)) for name in "cd"]
    await asyncio.sleep(0)
    ledger.open.set()
    await asyncio.gather(*clients)
    # Those that came during a flush go with those that it answered.
    assert [len(names) for names in ledger.flushes[:5]] == [2, 4, 4, 4, 4]


async def test_who_is_alone_waits_for_nobody_and_for_those_who_left_but_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "GATHER_SECONDS", 600.0)
    committing = GroupCommit(slow(ledger))
    ledger.open.set()
    await asyncio.gather(*(committing.commit(Wish(1, name)) for name in ("a", "b")))
    for number in range(3):
        await asyncio.wait_for(committing.commit(Wish(1, f"alone{number}")), 5)
    assert [len(names) for names in ledger.flushes] == [2, 1, 1, 1]
    # The first wait was as long as the flush before it; now nobody is expected any more.
    assert committing._expected == 1


def slow(ledger: Ledger) -> Callable[[Sequence[Wish]], Awaitable[list[str]]]:
    """A flush that takes as long as one does."""

    async def flush(wishes: Sequence[Wish]) -> list[str]:
        answers = await ledger.flush(wishes)
        await asyncio.sleep(0.01)
        return answers

    return flush
