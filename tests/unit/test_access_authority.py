"""The authority: asks about a subject once a version, and never decides by an older one."""

import asyncio
from dataclasses import replace

import pytest

from libs.common.access import authority as module
from libs.common.access.authority import Authority, Told
from libs.common.contracts.auth import Access, AccessRule
from libs.common.errors import Refusal, unavailable
from libs.common.principal import Principal
from tests.waiting import eventually

PRINCIPAL = Principal(
    tenant="t",
    tenant_no=1,
    workspace_id=1,
    subject="user:me",
    actor="a",
    scopes=("*",),
    audience="registry",
    epoch=1,
    expires_at=0,
    token="",
)


class Auth:
    """auth, as far as it is asked: what it tells, whether it is away, how long it thinks."""

    def __init__(self) -> None:
        self.version = 1
        self.ends_at: int | None = None
        self.asked = 0
        self.away = False
        self.open = asyncio.Event()
        self.open.set()
        self.now = 100.0

    async def ask(self, principal: Principal) -> Told:
        """Answer with the version at the time of the question."""
        self.asked += 1
        version = self.version
        await self.open.wait()
        if self.away:
            raise unavailable("What you may do here cannot be told now; try again.")
        permissions = ["model.read"] if version == 1 else []
        rule = AccessRule(
            rule_id="r", effect="allow", permissions=permissions, expires_at=self.ends_at
        )
        return Told(version, Access(subject=principal.subject, status="active", rules=[rule]))

    async def is_asked(self) -> bool:
        """Whether a question is on its way."""
        return self.asked > 0

    def authority(self) -> Authority:
        """An authority that asks here and has this clock."""
        return Authority(self.ask, clock=lambda: self.now)


async def reads(authority: Authority, principal: Principal = PRINCIPAL) -> bool:
    """Whether the principal may read a model."""
    return (await authority.rights(principal)).allows("model.read", 1, "x")


async def test_many_at_once_ask_one_question() -> None:
    """All credentials of a subject, too; another subject is another question."""
    auth = Auth()
    authority = auth.authority()
    auth.open.clear()
    scoped = replace(PRINCIPAL, scopes=("run.log",))
    waiting = [asyncio.create_task(reads(authority, each)) for each in [PRINCIPAL, scoped] * 50]
    await eventually(auth.is_asked)
    auth.open.set()
    assert await asyncio.gather(*waiting) == [True, False] * 50
    assert auth.asked == 1
    assert await reads(authority, replace(PRINCIPAL, subject="user:you"))
    assert await reads(authority, replace(PRINCIPAL, tenant_no=2))
    assert auth.asked == 3


async def test_one_who_leaves_does_not_take_the_answer_along() -> None:
    """The question goes on for those who wait with it."""
    auth = Auth()
    authority = auth.authority()
    auth.open.clear()
    first = asyncio.create_task(reads(authority))
    second = asyncio.create_task(reads(authority))
    await eventually(auth.is_asked)
    first.cancel()
    await asyncio.wait([first])
    auth.open.set()
    assert await second
    assert auth.asked == 1


async def test_a_later_version_is_asked_for() -> None:
    """Where the principal names it, and where it was heard; a version that is known is not."""
    auth = Auth()
    authority = auth.authority()
    assert await reads(authority)
    auth.version = 2
    assert await reads(authority)
    assert not await reads(authority, replace(PRINCIPAL, epoch=2))
    assert not await reads(authority)
    assert auth.asked == 2
    auth.version = 3
    authority.heard(1, "user:me", 3)
    assert not await reads(authority)
    authority.heard(1, "user:me", 2)
    authority.heard(2, "user:me", 9)
    assert not await reads(authority)
    assert auth.asked == 3


async def test_a_change_on_the_way_is_asked_for_again() -> None:
    """Heard, or named by a principal that joins an older question."""
    for principal, is_heard in ((PRINCIPAL, True), (replace(PRINCIPAL, epoch=2), False)):
        auth = Auth()
        authority = auth.authority()
        auth.open.clear()
        first = asyncio.create_task(reads(authority))
        await eventually(auth.is_asked)
        auth.version = 2
        if is_heard:
            authority.heard(1, "user:me", 2)
        second = asyncio.create_task(reads(authority, principal))
        await asyncio.sleep(0)
        auth.open.set()
        assert await second is False
        assert await first is not is_heard
        assert auth.asked == 2


async def test_an_older_version_than_was_heard_decides_nothing() -> None:
    """An auth that lags is worth another try, not an older answer."""
    auth = Auth()
    authority = auth.authority()
    assert await reads(authority)
    authority.heard(1, "user:me", 2)
    with pytest.raises(Refusal, match="has just changed") as caught:
        await reads(authority)
    assert (caught.value.status, caught.value.retry_after) == (503, 1)


async def test_while_auth_is_away_what_is_known_goes_on() -> None:
    """Until a later version is named: then it is a 503, and right again when auth is back."""
    auth = Auth()
    authority = auth.authority()
    assert await reads(authority)
    auth.away, auth.version = True, 2
    assert await reads(authority)
    later = replace(PRINCIPAL, epoch=2)
    with pytest.raises(Refusal) as caught:
        await reads(authority, later)
    assert caught.value.status == 503
    auth.away = False
    assert not await reads(authority, later)


async def test_a_temporary_rule_ends_without_a_question() -> None:
    """At its time, by what is known already."""
    auth = Auth()
    auth.ends_at = 101_000
    authority = auth.authority()
    assert await reads(authority)
    auth.now = 101.5
    assert not await reads(authority)
    assert auth.asked == 1


async def test_what_may_have_been_missed_is_asked_for() -> None:
    """After a reconnection nothing older counts, nor an answer that was on its way then."""
    auth = Auth()
    authority = auth.authority()
    auth.open.clear()
    first = asyncio.create_task(reads(authority))
    await eventually(auth.is_asked)
    authority.forget_everything()
    auth.version = 2
    auth.open.set()
    assert await first
    assert not await reads(authority, replace(PRINCIPAL, scopes=("*", "run.log")))
    assert auth.asked == 2


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are asked about anew."""
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    auth = Auth()
    authority = auth.authority()
    for number in (1, 2, 3, 3, 2, 1):
        assert await reads(authority, replace(PRINCIPAL, subject=f"user:{number}"))
    assert auth.asked == 4
