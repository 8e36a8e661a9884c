"""The second level in Redis: it tells a reader nothing, believes no writer, and delays nobody."""

import asyncio
import time
from dataclasses import replace

import pytest
from cryptography.exceptions import InvalidTag
from redis.exceptions import ConnectionError as RedisConnectionError

from services.gateway import shared_cache
from services.gateway.credentials import Presented
from services.gateway.shared_cache import SharedCache, entry_name, open_sealed, seal
from tests.unit.gateway_doubles import AUDIENCES, Clock, StoreDouble, passport
from tests.waiting import eventually

ALICE = Presented("Bearer", "mst_alice")
BOB = Presented("Bearer", "mst_bob")


async def test_what_was_written_is_read_again() -> None:
    clock, store = Clock(), StoreDouble()
    cache = SharedCache(store, AUDIENCES, clock)
    assert await cache.read(ALICE) is None
    written = passport(clock.now)
    cache.write(ALICE, written)
    await eventually(lambda: store.held)
    assert await cache.read(ALICE) == written
    assert await cache.read(BOB) is None
    clock.now = written.expires_at
    assert await cache.read(ALICE) is None


def test_a_reader_of_redis_learns_nothing() -> None:
    sealed = seal(ALICE, passport(1000.0))
    for telling in (b"mst_alice", b"tracking", b"token-1", ALICE.key(), ALICE.key().hex().encode()):
        assert telling not in sealed
        assert telling not in entry_name(ALICE).encode()
    assert seal(ALICE, passport(1000.0)) != sealed


def test_a_writer_of_redis_cannot_give_somebody_another_identity() -> None:
    own = seal(BOB, passport(1000.0, actor="bobs"))
    assert open_sealed(BOB, own) is not None
    assert open_sealed(ALICE, own) is None
    for wrong in (b"", b"x", own[:11], own[:-1], own + b"x", own[:20] + b"\x00" + own[21:]):
        assert open_sealed(BOB, wrong) is None


def test_what_is_sealed_for_one_credential_opens_with_no_other() -> None:
    """The key itself differs, not only the name that is bound to it."""
    sealed = seal(ALICE, passport(1000.0))
    nonce, ciphertext = sealed[:12], sealed[12:]
    bound = entry_name(ALICE).encode()
    assert shared_cache._cipher(ALICE).decrypt(nonce, ciphertext, bound)
    with pytest.raises(InvalidTag):
        shared_cache._cipher(BOB).decrypt(nonce, ciphertext, bound)


async def test_an_entry_that_lacks_a_service_is_passed_over() -> None:
    clock, store = Clock(), StoreDouble()
    SharedCache(store, AUDIENCES, clock).write(ALICE, passport(clock.now))
    await eventually(lambda: store.held)
    assert await SharedCache(store, (*AUDIENCES, "connectors"), clock).read(ALICE) is None


async def test_a_slow_redis_costs_its_bound_once_and_then_rests() -> None:
    store = StoreDouble()
    store.hangs = True
    cache = SharedCache(store, AUDIENCES, Clock())
    started = time.perf_counter()
    for _ in range(20):
        assert await cache.read(ALICE) is None
    assert time.perf_counter() - started < 4 * shared_cache.ANSWER_SECONDS
    assert store.asked == 1


@pytest.mark.parametrize(
    "trouble", [RedisConnectionError("gone"), OSError("gone"), TimeoutError("slow")]
)
async def test_a_broken_redis_is_passed_over_and_asked_again_after_a_rest(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_cache, "REST_SECONDS", 0.05)
    clock, store = Clock(), StoreDouble()
    cache = SharedCache(store, AUDIENCES, clock)
    store.trouble = trouble
    assert await cache.read(ALICE) is None
    cache.write(ALICE, passport(clock.now))
    store.trouble = None

    async def works_again() -> bool:
        cache.write(ALICE, passport(clock.now))
        return await cache.read(ALICE) is not None

    await eventually(works_again)


async def test_without_redis_nothing_is_asked() -> None:
    cache = SharedCache(None, AUDIENCES)
    cache.write(ALICE, passport(time.time()))
    assert await cache.read(ALICE) is None


async def test_writes_under_way_are_bounded_and_ended() -> None:
    clock, store = Clock(), StoreDouble()
    store.hangs = True
    cache = SharedCache(store, AUDIENCES, clock)
    for number in range(500):
        cache.write(Presented("Bearer", f"mst_{number}"), passport(clock.now))
    assert len(cache._writing) <= 100
    await asyncio.wait_for(cache.close(), 2)
    assert not cache._writing


async def test_what_is_held_for_one_workspace_is_not_read_in_another() -> None:
    clock, store = Clock(), StoreDouble()
    cache = SharedCache(store, AUDIENCES, clock)
    team = replace(ALICE, workspace="team")
    cache.write(team, passport(clock.now))
    await eventually(lambda: store.held)
    assert await cache.read(team) is not None
    assert await cache.read(ALICE) is None
    assert await cache.read(replace(ALICE, workspace="other")) is None
    # Nor where somebody who writes to Redis puts it under the other name.
    sealed = store.held[entry_name(team)]
    assert open_sealed(ALICE, sealed) is None
    # A name that ends where the token goes on is another pair.
    assert entry_name(Presented("Bearer", "a", "bc")) != entry_name(Presented("Bearer", "ab", "c"))
