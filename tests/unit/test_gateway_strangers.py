"""Who opens nothing is slowed before auth is asked, and nobody else is: neighbours, other addresses."""

import asyncio
from dataclasses import dataclass, replace

import msgspec
import pytest

from libs.common.errors import Refusal
from services.gateway.credentials import AddressRejected, Presented, WorkspaceRejected
from services.gateway.exchange import Passport
from services.gateway.limits.strangers import MOST_FAILURES
from services.gateway.limits.workspaces import MOST_UNKNOWN
from services.gateway.principals import Principals
from tests.unit.gateway_doubles import AuthDouble, Clock, StoreDouble, World, status_of
from tests.waiting import eventually

INSIDE, OUTSIDE = "192.0.2.1", "198.51.100.1"
ALICE = Presented("Bearer", "mst_alice", address=INSIDE)
MALLORY = replace(ALICE, address=OUTSIDE)


@dataclass
class Bound(AuthDouble):
    """An auth whose credentials are good in one network, and in the workspaces `team…`."""

    async def __call__(self, presented: Presented) -> Passport:
        """Networks first, as auth does."""
        minted = await super().__call__(presented)
        if presented.address != INSIDE:
            raise AddressRejected(f"not from {presented.address}")
        if presented.workspace and not presented.workspace.startswith("team"):
            raise WorkspaceRejected(f"Workspace '{presented.workspace}' not found")
        return msgspec.structs.replace(minted, networks=(f"{INSIDE}/32",))


def bound() -> World:
    """A gateway before such an auth."""
    world = World()
    world.auth = Bound(world.clock)
    world.principals = Principals(world.auth, world.shared, world.clock)
    world.principals.confirmation.trusted_until = float("inf")
    return world


async def flooded(world: World, address: str = INSIDE) -> None:
    """So many tokens that nobody knows came from an address that it is slowed."""
    world.auth.refused = "no such token"
    for number in range(MOST_FAILURES):
        given = Presented("Bearer", f"mst_wrong_{number}", address=address)
        assert await status_of(world.principals.passport(given)) == 401
    world.auth.refused = ""


async def test_a_token_that_names_workspaces_at_random_costs_auth_little() -> None:
    world = bound()
    await world.principals.passport(ALICE)
    await world.principals.passport(replace(ALICE, workspace="team-1"))
    world.auth.asked = 0
    named = [replace(ALICE, workspace=f"w-{number}") for number in range(3000)]
    statuses = await asyncio.gather(*(status_of(world.principals.passport(one)) for one in named))
    assert statuses.count(404) == world.auth.asked == MOST_UNKNOWN
    assert statuses.count(429) == 3000 - MOST_UNKNOWN
    with pytest.raises(Refusal, match="X-MLFLOW-WORKSPACE") as refused:
        await world.principals.passport(replace(ALICE, workspace="one-more"))
    assert 0 < (refused.value.retry_after or 0) <= 61
    for workspace in ("", "team-1"):
        known = replace(ALICE, workspace=workspace)
        assert await status_of(world.principals.passport(known)) == 200
    other = Presented("Bearer", "mst_bob", address=INSIDE, workspace="w-1")
    assert await status_of(world.principals.passport(other)) == 404


async def test_many_workspaces_that_are_entered_are_not_slowed() -> None:
    world = bound()
    for number in range(2 * MOST_UNKNOWN):
        team = replace(ALICE, workspace=f"team-{number}")
        assert await status_of(world.principals.passport(team)) == 200


async def test_workspaces_that_are_refused_make_no_refused_token_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.gateway.rejections.MOST_REJECTED", 10)
    world = World()
    wrong = Presented("Bearer", "mst_wrong", address=INSIDE)
    world.auth.refused = "no such token"
    assert await status_of(world.principals.passport(wrong)) == 401
    world.auth.refusal = WorkspaceRejected
    for number in range(20):
        named = replace(ALICE, workspace=f"w-{number}")
        assert await status_of(world.principals.passport(named)) == 404
    world.auth.asked = 0
    assert await status_of(world.principals.passport(wrong)) == 401
    assert world.auth.asked == 0


async def test_a_neighbours_failures_lock_nobody_out_whose_token_redis_knows() -> None:
    store, clock = StoreDouble(), Clock()
    here, elsewhere = World(store, clock), World(store, clock)
    clock.now += 100
    await elsewhere.principals.passport(ALICE)
    await eventually(lambda: store.held)
    await flooded(here)
    assert await status_of(here.principals.passport(ALICE)) == 200
    unknown = Presented("Bearer", "mst_unknown", address=INSIDE)
    assert await status_of(here.principals.passport(unknown)) == 429
    assert await status_of(here.principals.passport(replace(unknown, address=OUTSIDE))) == 200


async def test_who_was_idle_for_longer_than_a_passport_lives_is_no_stranger() -> None:
    world = World()
    await world.principals.passport(ALICE)
    world.clock.now += 600
    await flooded(world)
    assert await status_of(world.principals.passport(ALICE)) == 200
    assert await status_of(world.principals.passport(replace(ALICE, workspace="team"))) == 200


async def test_from_outside_its_networks_a_token_tells_nothing_about_workspaces() -> None:
    world = bound()
    inside = [replace(ALICE, workspace=name) for name in ("", "team-1", "none")]
    for known in (False, True):
        for one in inside:
            with pytest.raises(Refusal) as refused:
                await world.principals.passport(replace(one, address=OUTSIDE))
            assert refused.value.status == 401, (known, one.workspace)
        if not known:
            statuses = [await status_of(world.principals.passport(one)) for one in inside]
            assert statuses == [200, 200, 404]
    assert world.auth.asked == 4, "outside it was asked once"


async def test_what_is_refused_outside_is_not_refused_inside() -> None:
    """Neither afterwards, nor where one waits for the answer to the other."""
    for first, second in ((MALLORY, ALICE), (ALICE, MALLORY)):
        world = bound()
        world.auth.gate.clear()
        waiting = [asyncio.create_task(status_of(world.principals.passport(first)))]
        await eventually(world.was_asked)
        waiting.append(asyncio.create_task(status_of(world.principals.passport(second))))
        await asyncio.sleep(0)
        world.auth.gate.set()
        expected = [200 if one is ALICE else 401 for one in (first, second)]
        assert await asyncio.gather(*waiting) == expected
        assert await status_of(world.principals.passport(ALICE)) == 200
        named = [replace(one, workspace="none") for one in (ALICE, MALLORY)]
        answers = [status_of(world.principals.passport(one)) for one in named]
        assert await asyncio.gather(*answers) == [404, 401]


async def test_who_stands_outside_does_not_spoil_a_renewal() -> None:
    world = bound()
    first = await world.principals.passport(ALICE)
    world.clock.now += 46
    assert await status_of(world.principals.passport(MALLORY)) == 401
    assert await world.principals.passport(ALICE) is first
    await eventually(lambda: not world.principals._flights)
    assert await world.principals.passport(ALICE) is not first
