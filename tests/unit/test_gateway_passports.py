"""Passports and open requests: found by token, subject and tenant, and no others are touched."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from libs.common.errors import Refusal
from libs.common.http.types import Message, Receive, Scope, Send
from services.gateway.exchange import Passport
from services.gateway.open_requests import OpenRequest
from services.gateway.passports import Passports
from services.gateway.revocations import Revocations
from tests.unit.gateway_doubles import World, passport, status_of
from tests.unit.test_gateway_forwarding import CHUNK, Downloading, Uploading, put
from tests.unit.test_gateway_principals import ALICE, BOB
from tests.waiting import eventually

HEADERS = {"an upload": (b"content-length", b"1000"), "a download": (b"accept", b"*/*")}


def of(actor: str, subject: str, tenant_no: int, version: int = 1) -> Passport:
    """A passport of somebody."""
    made = passport(0.0, actor, version=version)
    return msgspec.structs.replace(made, subject=subject, tenant_no=tenant_no)


def four() -> Passports:
    """Two tokens of one subject, one of another, and one of the same name in another tenant."""
    kept = Passports()
    kept.put(b"a1", of("a1", "user:a", 1))
    kept.put(b"a2", of("a2", "user:a", 1, version=3))
    kept.put(b"b1", of("b1", "user:b", 1))
    kept.put(b"x1", of("x1", "user:a", 2))
    return kept


@pytest.mark.parametrize(
    ("drop", "left"),
    [
        (lambda kept: kept.drop_token("a1"), {b"a2", b"b1", b"x1"}),
        (lambda kept: kept.drop_subject(1, "user:a", 3), {b"a2", b"b1", b"x1"}),
        (lambda kept: kept.drop_subject(1, "user:a", 4), {b"b1", b"x1"}),
        (lambda kept: kept.drop_tenant(1), {b"x1"}),
        (lambda kept: kept.drop(b"b1"), {b"a1", b"a2", b"x1"}),
        (lambda kept: kept.clear(), set()),
    ],
)
def test_what_ended_is_dropped_and_nothing_else(
    drop: Callable[[Passports], object], left: set[bytes]
) -> None:
    kept = four()
    drop(kept)
    assert {key for key in (b"a1", b"a2", b"b1", b"x1") if kept.get(key)} == left
    assert sum(len(keys) for keys in kept._groups.values()) == 3 * len(left)


def test_a_renewed_passport_takes_the_place_of_the_old_one() -> None:
    kept = four()
    kept.put(b"a1", of("a1", "user:a", 1, version=9))
    kept.drop_subject(1, "user:a", 9)
    assert kept.get(b"a1") is not None
    assert kept.get(b"a2") is None


async def test_a_changed_access_has_the_passport_minted_anew() -> None:
    world = World()
    await world.principals.passport(ALICE)
    world.auth.version = 2
    assert world.principals.revocations.access_changed(1, "user:1", 2)
    assert (await world.principals.passport(ALICE)).access_version == 2
    assert not world.principals.revocations.access_changed(1, "user:1", 2), "no news"
    await world.principals.passport(ALICE)
    assert world.auth.asked == 2


async def test_access_that_changes_while_a_credential_is_exchanged_has_it_exchanged_again() -> None:
    world = World()
    world.auth.gate.clear()
    waiting = asyncio.create_task(world.principals.passport(ALICE))
    await eventually(lambda: world.auth.asked)
    world.principals.revocations.access_changed(1, "user:1", 2)
    world.auth.version = 2
    world.auth.gate.set()
    assert (await waiting).access_version == 2
    assert world.auth.asked == 2


async def test_a_passport_of_an_old_version_is_never_used_though_auth_insists_on_it() -> None:
    world = World()
    world.principals.revocations.access_changed(1, "user:1", 2)
    assert await status_of(world.principals.passport(ALICE)) == 503


async def test_a_suspended_tenant_is_asked_about_again_and_another_is_not() -> None:
    world = World()
    await world.principals.passport(ALICE)
    world.clock.now += 1
    world.principals.revocations.tenant_suspended(2, 5)
    await world.principals.passport(ALICE)
    assert world.auth.asked == 1
    world.principals.revocations.tenant_suspended(1, 5)
    world.auth.refused = "the account is suspended"
    assert await status_of(world.principals.passport(ALICE)) == 401
    world.auth.refused = ""
    world.clock.now += 3
    assert await status_of(world.principals.passport(ALICE)) == 200, "resumed"


@pytest.mark.parametrize("kind", ["subject", "tenant"])
async def test_what_another_gateway_left_in_redis_is_outdated_too(kind: str) -> None:
    world = World()
    await world.principals.passport(ALICE)
    await eventually(lambda: world.store.held)
    other = World(world.store, world.clock)
    other.principals.revocations.caught_up(world.clock.now)
    other.auth.version = 2
    if kind == "subject":
        other.principals.revocations.access_changed(1, "user:1", 2)
    else:
        other.principals.revocations.tenant_suspended(1, 2)
        world.clock.now += 1
    assert (await other.principals.passport(ALICE)).access_version == 2
    assert other.auth.asked == 1
    assert await other.principals.passport(BOB)


class Streaming:
    """A request under way through a gateway: an upload or a download that never ends."""

    def __init__(self, world: World, held: Passport, kind: str) -> None:
        self.client = Downloading()
        self.ended = asyncio.Event()
        self.begun = asyncio.Event()
        self.kind = kind
        self.task = asyncio.create_task(self._run(world, held))

    async def _run(self, world: World, held: Passport) -> None:
        with world.principals.open_requests.entered(held) as request:
            upload = Uploading(10**9, pause=0.001)
            await put(self._serve, upload, self.client, HEADERS[self.kind], request=request)

    async def _serve(self, _: Scope, receive: Receive, send: Send) -> None:
        try:
            if self.kind == "a download":
                await send({"type": "http.response.start", "status": 200, "headers": []})
            self.begun.set()
            while True:
                await asyncio.sleep(0.001)
                if self.kind == "a download":
                    await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
                else:
                    await receive()
        finally:
            self.ended.set()


def revoke(revocations: Revocations, what: str) -> None:
    """Revoke what the passport of these tests is minted for."""
    if what == "token":
        revocations.token_revoked("token-1")
    elif what == "tenant":
        revocations.tenant_suspended(1, 2)
    else:
        revocations.access_changed(1, "user:1", 2, active=what == "access")


@pytest.mark.parametrize("kind", HEADERS)
@pytest.mark.parametrize(
    ("what", "status"), [("token", 401), ("access", 503), ("suspended", 401), ("tenant", 401)]
)
async def test_streams_of_the_revoked_are_cut_and_those_of_others_go_on(
    kind: str, what: str, status: int
) -> None:
    world = World()
    mine = Streaming(world, passport(0.0), kind)
    other = Streaming(world, of("token-2", "user:2", 2), kind)
    await asyncio.gather(mine.begun.wait(), other.begun.wait())
    revoke(world.principals.revocations, what)
    with pytest.raises(Refusal) as refused:
        await asyncio.wait_for(mine.task, 5)
    assert (refused.value.status, refused.value.closes) == (status, True)
    assert mine.ended.is_set(), "its service was told"
    assert not other.task.done()
    other.task.cancel()
    await asyncio.wait([other.task])


@pytest.mark.parametrize(("what", "cut"), [("token", True), ("access", False)])
async def test_a_request_that_came_whole_is_answered_unless_its_token_was_revoked(
    what: str, cut: bool
) -> None:
    world, answers, came = World(), asyncio.Event(), asyncio.Event()

    async def upstream(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        came.set()
        await answers.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def whole() -> None:
        with world.principals.open_requests.entered(passport(0.0)) as request:
            await put(upstream, Uploading(1), Downloading(), HEADERS["an upload"], request=request)

    task = asyncio.create_task(whole())
    await came.wait()
    revoke(world.principals.revocations, what)
    answers.set()
    if cut:
        with pytest.raises(Refusal):
            await task
    else:
        await task


async def test_a_request_that_is_cut_before_it_is_forwarded_never_reaches_its_service() -> None:
    async def upstream(_: Scope, __: Receive, ___: Send) -> None:
        raise AssertionError("it reached the service")

    async def nothing() -> Message:
        raise AssertionError("it was read")

    request = OpenRequest(passport(0.0))
    request.cut(Refusal("UNAUTHENTICATED", "revoked"))
    with pytest.raises(Refusal, match="revoked"):
        await put(upstream, nothing, Downloading(), request=request)


async def test_a_short_answer_that_has_begun_is_given_to_its_end() -> None:
    world, begun, goes_on = World(), asyncio.Event(), asyncio.Event()
    client = Downloading()

    async def upstream(_: Scope, __: Receive, send: Send) -> None:
        headers = [(b"content-length", b"3")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        begun.set()
        await goes_on.wait()
        await send({"type": "http.response.body", "body": b"abc"})

    async def whole() -> None:
        with world.principals.open_requests.entered(passport(0.0)) as request:
            await put(upstream, Uploading(1), client, request=request)

    task = asyncio.create_task(whole())
    await begun.wait()
    world.principals.revocations.token_revoked("token-1")
    goes_on.set()
    await task
    assert client.taken == 3
