"""The principals' cache: fetched once, dropped on revocation, never used past its life."""

import asyncio
from dataclasses import replace

import pytest

from libs.common.errors import Refusal
from services.gateway import passports as passports_module
from services.gateway import rejections as rejections_module
from services.gateway import revocations as revocations_module
from services.gateway.credentials import Presented, WorkspaceRejected
from tests.unit.gateway_doubles import (
    Clock,
    StoreDouble,
    World,
    passport,
    status_of,
)
from tests.waiting import eventually

ALICE = Presented("Bearer", "mst_alice")
BOB = Presented("Bearer", "mst_bob")


async def test_a_credential_is_exchanged_once_for_its_life() -> None:
    world = World()
    first = await world.principals.passport(ALICE)
    world.clock.now += 44
    assert await world.principals.passport(ALICE) is first
    assert world.auth.asked == 1
    await world.principals.passport(BOB)
    assert world.auth.asked == 2


async def test_a_crowd_with_one_credential_asks_once_and_one_that_leaves_spoils_nothing() -> None:
    world = World()
    world.auth.gate.clear()
    crowd = [asyncio.create_task(world.principals.passport(ALICE)) for _ in range(50)]
    await eventually(lambda: world.auth.asked)
    crowd[0].cancel()
    await asyncio.wait([crowd[0]])
    world.auth.gate.set()
    found = await asyncio.gather(*crowd[1:])
    assert world.auth.asked == 1
    assert len({id(one) for one in found}) == 1


async def test_it_is_renewed_before_its_end_without_anybody_waiting() -> None:
    world = World()
    first = await world.principals.passport(ALICE)
    world.clock.now += 46
    world.auth.gate.clear()
    assert await world.principals.passport(ALICE) is first
    assert await world.principals.passport(ALICE) is first
    await eventually(lambda: world.auth.asked == 2)
    world.auth.gate.set()
    await eventually(lambda: not world.principals._flights)
    assert await world.principals.passport(ALICE) is not first
    assert world.auth.asked == 2


async def test_without_auth_it_lives_to_its_end_and_then_is_503_not_401() -> None:
    world = World()
    first = await world.principals.passport(ALICE)
    world.auth.away = True
    world.clock.now += 54
    assert await world.principals.passport(ALICE) is first
    await eventually(lambda: not world.principals._flights)
    assert await world.principals.passport(ALICE) is first
    world.clock.now += 2
    assert await status_of(world.principals.passport(ALICE)) == 503
    world.auth.away = False
    assert await status_of(world.principals.passport(ALICE)) == 200


async def test_a_failed_renewal_is_not_tried_again_with_every_request() -> None:
    world = World()
    await world.principals.passport(ALICE)
    world.auth.away = True
    world.clock.now += 46
    for _ in range(20):
        await world.principals.passport(ALICE)
        await eventually(lambda: not world.principals._flights)
    assert world.auth.asked == 2


async def test_a_refusal_is_remembered_for_two_seconds_only() -> None:
    world = World()
    world.auth.refused = "no such token"
    for _ in range(5):
        with pytest.raises(Refusal, match="no such token") as refused:
            await world.principals.passport(ALICE)
        assert refused.value.status == 401
    assert world.auth.asked == 1
    world.auth.refused = ""
    world.clock.now += 2.01
    assert await status_of(world.principals.passport(ALICE)) == 200


async def test_a_refusal_names_the_scheme_of_each_request() -> None:
    world = World()
    world.auth.refused = "no such token"
    messages = []
    for scheme in ("Bearer", "Basic"):
        with pytest.raises(Refusal) as refused:
            await world.principals.passport(Presented(scheme, "mst_alice"))
        messages.append(refused.value.message)
    assert "Bearer token came" in messages[0]
    assert "Basic credentials came" in messages[1]


async def test_a_503_is_not_remembered() -> None:
    world = World()
    world.auth.away = True
    assert await status_of(world.principals.passport(ALICE)) == 503
    world.auth.away = False
    assert await status_of(world.principals.passport(ALICE)) == 200


async def test_a_revoked_token_is_refused_at_once() -> None:
    world = World()
    await world.principals.passport(ALICE)
    world.principals.revocations.token_revoked("token-1")
    with pytest.raises(Refusal, match="revoked"):
        await world.principals.passport(ALICE)


async def test_a_token_revoked_while_it_is_exchanged_does_not_slip_in() -> None:
    world = World()
    world.auth.gate.clear()
    waiting = asyncio.create_task(world.principals.passport(ALICE))
    await eventually(lambda: world.auth.asked)
    world.principals.revocations.token_revoked("token-1")
    world.auth.gate.set()
    assert await status_of(waiting) == 401
    assert await status_of(world.principals.passport(ALICE)) == 401


async def test_when_everything_is_forgotten_nothing_from_before_is_used() -> None:
    world = World()
    await world.principals.passport(ALICE)
    world.auth.gate.clear()
    waiting = asyncio.create_task(world.principals.passport(BOB))
    await eventually(lambda: world.auth.asked == 2)
    world.principals.revocations.overflow()
    world.auth.gate.set()
    await waiting
    for who in (ALICE, BOB):
        await world.principals.passport(who)
    assert world.auth.asked == 4


async def test_another_gateway_finds_it_in_redis_but_trusts_only_what_it_could_hear_of() -> None:
    store, clock = StoreDouble(), Clock()
    first, second = World(store, clock), World(store, clock)
    await first.principals.passport(ALICE)
    await eventually(lambda: store.held)
    await second.principals.passport(ALICE)
    assert second.auth.asked == 1, "minted before it could be sure to hear of a revocation"

    clock.now += 100
    await first.principals.passport(BOB)
    await eventually(lambda: len(store.held) == 2)
    assert await second.principals.passport(BOB) == await first.principals.passport(BOB)
    assert second.auth.asked == 1

    clock.now += 100
    carol = Presented("Bearer", "mst_carol")
    first.auth.actor = "token-3"
    await first.principals.passport(carol)
    await eventually(lambda: len(store.held) == 3)
    second.principals.revocations.token_revoked("token-3")
    second.auth.refused = "the token was revoked"
    assert await status_of(second.principals.passport(carol)) == 401


async def test_more_revocations_than_are_remembered_empty_the_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(revocations_module, "MOST_REMEMBERED", 3)
    world = World()
    await world.principals.passport(ALICE)
    for number in range(10, 14):
        world.principals.revocations.token_revoked(f"token-{number}")
    await world.principals.passport(ALICE)
    assert world.auth.asked == 2


async def test_revocations_are_forgotten_when_nothing_minted_before_can_live() -> None:
    world = World()
    world.principals.revocations.token_revoked("token-7")
    world.clock.now += revocations_module.REMEMBERED_SECONDS + 1
    world.principals.revocations.token_revoked("token-8")
    assert not world.principals.revocations.covers("token-7")
    assert world.principals.revocations.covers("token-8")


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passports_module, "MOST_PASSPORTS", 10)
    monkeypatch.setattr(rejections_module, "MOST_REJECTED", 10)
    world = World()
    for number in range(30):
        await world.principals.passport(Presented("Bearer", f"good-{number}"))
        await world.principals.passport(ALICE)
    world.auth.refused = "no such token"
    for number in range(30):
        await status_of(world.principals.passport(Presented("Bearer", f"bad-{number}")))
    assert len(world.principals._passports) == 10
    assert len(world.principals._rejected) == 10
    world.auth.asked = 0
    await world.principals.passport(ALICE)
    assert world.auth.asked == 0, "what is used stays"


async def test_closing_ends_what_is_under_way() -> None:
    world = World()
    world.auth.gate.clear()
    waiting = asyncio.create_task(world.principals.passport(ALICE))
    await eventually(lambda: world.auth.asked)
    await world.principals.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert passport(0.0).actor == "token-1"


async def test_a_credential_is_known_apart_in_each_workspace() -> None:
    world = World()
    team = replace(ALICE, workspace="team")
    assert await world.principals.passport(ALICE) is not await world.principals.passport(team)
    assert world.auth.asked == 2
    world.auth.refused, world.auth.refusal = "Workspace 'other' not found", WorkspaceRejected
    other = replace(ALICE, workspace="other")
    for _ in range(2):  # the second time from memory
        with pytest.raises(Refusal) as refused:
            await world.principals.passport(other)
        assert (refused.value.status, refused.value.code) == (404, "RESOURCE_DOES_NOT_EXIST")
        assert refused.value.message == "Workspace 'other' not found"
    assert world.auth.asked == 3
    await world.principals.passport(team)
    assert world.auth.asked == 3


async def test_a_deleted_workspace_is_left_at_once_and_not_entered_from_redis() -> None:
    world = World()
    world.clock.now += 60  # so that what is minted now counts as heard of
    await world.principals.passport(ALICE)
    await eventually(lambda: world.store.held)
    world.principals.revocations.workspace_deleted(1, 1)
    assert await status_of(world.principals.passport(ALICE)) == 404
    assert await status_of(world.principals.passport(ALICE)) == 404
    world.principals.revocations.workspace_deleted(2, 1)
    fresh = World()
    await fresh.principals.passport(ALICE)
    fresh.principals.revocations.workspace_deleted(2, 1)
    fresh.principals.revocations.workspace_deleted(1, 2)
    assert await status_of(fresh.principals.passport(ALICE)) == 200


async def test_a_wrong_password_that_many_show_at_once_is_one_guess() -> None:
    world = World()
    world.auth.refused = "user name or password is wrong"
    world.auth.gate.clear()
    wrong = Presented("Basic", "a wrong one", "team/bob", "192.0.2.1")
    crowd = [asyncio.create_task(status_of(world.principals.passport(wrong))) for _ in range(50)]
    await eventually(lambda: world.auth.asked)
    world.auth.gate.set()
    assert await asyncio.gather(*crowd) == [401] * 50
    assert await status_of(world.principals.passport(wrong)) == 401
    world.auth.refused = ""
    right = replace(wrong, secret="the right one")
    assert await status_of(world.principals.passport(right)) == 200
