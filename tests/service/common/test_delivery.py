"""A fact reaches another service's read model: in order a key, with one effect, for all replicas."""

import asyncio
import time
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError

from libs.common.bus.link import Broker
from libs.common.events.envelope import Headers
from services.steps import prepare
from tests.service.common.letters import Letter, letters, post
from tests.service.common.pair import Copy, Mirror, Pair
from tests.service.common.shelf import EARS, MIRROR, SHELF, THINGS, environment_of
from tests.serving import served
from tests.signing import Tenant
from tests.waiting import eventually


async def copied(pair: Pair) -> dict[str, Copy]:
    """The tenant's read model, once there is anything in it."""
    return await eventually(lambda: pair.mirror.copies(pair.tenant), within=15)


async def connected(mirror: Mirror) -> None:
    """Wait until a replica's broadcast is connected."""
    await eventually(lambda: mirror.ears.connections > 0, within=15)


async def heard_by(mirror: Mirror, tenant: Tenant, count: int) -> list[str]:
    """The words that a replica heard of a tenant by broadcast, once there are `count`."""

    def heard() -> list[str]:
        words = [event.fact.thing.word for event in mirror.ears.heard if event.tenant == tenant.id]
        return words if len(words) >= count else []

    return await eventually(heard, within=10)


async def told_of(pair: Pair, count: int = 1) -> list[Letter]:
    """The messages of the pair's tenant on the topic, once there are `count`."""

    async def found() -> list[Letter]:
        prefix = pair.tenant.id.encode()
        every = await letters(pair.environment, THINGS.name)
        mine = [letter for letter in every if letter.key.startswith(prefix)]
        return mine if len(mine) >= count else []

    return await eventually(found, within=20)


async def again(pair: Pair, letter: Letter) -> None:
    """Put a message on the topic a second time, as a relay that died before its mark does."""
    await post(
        pair.environment,
        THINGS.name,
        letter.value,
        list(letter.headers.items()),
        key=letter.key,
        partition=letter.partition,
    )


async def settled(pair: Pair) -> None:
    """Wait until the mirror has handled all that was told before."""
    marker = f"marker-{time.monotonic_ns()}"
    for number in range(12):  # some of these keys fall into each partition
        await pair.put(f"{marker}-{number}", "end")

    async def seen() -> bool:
        copies = await pair.mirror.copies(pair.tenant)
        return all(f"{marker}-{number}" in copies for number in range(12))

    await eventually(seen, within=20)


async def test_a_fact_arrives_in_the_other_services_read_model(pair: Pair) -> None:
    assert await pair.put("lamp", "on") == 1
    assert await copied(pair) == {"lamp": ("on", 1)}


async def test_a_fact_is_visible_soon_after_the_answer(pair: Pair) -> None:
    await pair.put("lamp", "0")
    await copied(pair)
    delays = []
    for number in range(1, 20):
        word = str(number)
        await pair.put("lamp", word)
        answered = time.monotonic()

        async def seen(word: str = word) -> bool:
            return (await pair.mirror.copies(pair.tenant))["lamp"][0] == word

        await eventually(seen, pause=0.002)
        delays.append(time.monotonic() - answered)
    # The figure to reach is 100 ms at P95; a shared machine at work gets some air.
    assert sorted(delays)[-2] < 0.5, delays


async def test_facts_of_a_thing_have_their_effects_in_order_and_once(pair: Pair) -> None:
    words = {f"thing-{n}": [f"{n}.{m}" for m in range(15)] for n in range(8)}
    await pair.put_many(words)

    async def complete() -> bool:
        return len(await pair.mirror.effects(pair.tenant)) >= 8 * 15

    await eventually(complete, within=20)
    effects = await pair.mirror.effects(pair.tenant)
    for thing, expected in words.items():
        assert [e.word for e in effects if e.thing == thing] == expected
        assert [e.version for e in effects if e.thing == thing] == list(range(1, 16))
    assert await pair.mirror.copies(pair.tenant) == {
        thing: (expected[-1], 15) for thing, expected in words.items()
    }


async def test_tenants_do_not_see_each_others_copies(pair: Pair) -> None:
    other = pair.fresh()
    await pair.put("lamp", "mine")
    await other.put("lamp", "yours")
    for one, word in ((pair, "mine"), (other, "yours")):
        assert await copied(one) == {"lamp": (word, 1)}


async def test_a_reaction_tells_its_own_fact(pair: Pair) -> None:
    await pair.put("lamp", "on")

    async def echoed() -> list[Letter]:
        every = await letters(pair.environment, "mirror.copy.v1")
        return [one for one in every if one.key.startswith(pair.tenant.id.encode())]

    (letter,) = await eventually(echoed, within=15)
    assert letter.headers["ce_type"] == b"mirror.copy.made"
    assert letter.headers["ce_actor"] == b"tester"


async def test_the_message_on_the_topic_is_a_cloudevent_of_the_tenant(pair: Pair) -> None:
    await pair.put("lamp", "on")
    (letter,) = await told_of(pair)
    assert letter.key == f"{pair.tenant.id}/lamp".encode()
    assert letter.headers["ce_tenant"] == pair.tenant.id.encode()
    assert letter.headers["ce_sequence"] == b"1"
    assert letter.value == b'{"version":1,"thing":{"thing":"lamp","word":"on"}}'


async def test_redelivered_facts_have_no_second_effect(pair: Pair) -> None:
    for word in ("a", "b", "c"):
        await pair.put("lamp", word)
    first, second, third = await told_of(pair, 3)
    for letter in (first, second, third, first, third):
        await again(pair, letter)
    await settled(pair)
    effects = [e for e in await pair.mirror.effects(pair.tenant) if e.thing == "lamp"]
    assert [(e.word, e.version) for e in effects] == [("a", 1), ("b", 2), ("c", 3)]
    assert (await pair.mirror.copies(pair.tenant))["lamp"] == ("c", 3)


async def test_a_late_fact_does_not_undo_a_newer_one(pair: Pair) -> None:
    for word in ("a", "b"):
        await pair.put("lamp", word)
    first, _ = await told_of(pair, 2)
    late: Headers = [(n, v) for n, v in first.headers.items() if n != "ce_id"]
    late.append(("ce_id", b"11111111-2222-4333-8444-555555555555"))
    await post(
        pair.environment,
        THINGS.name,
        first.value,
        late,
        key=first.key,
        partition=first.partition,
    )
    await settled(pair)
    assert (await pair.mirror.copies(pair.tenant))["lamp"] == ("b", 2)


async def test_a_broadcast_is_heard_by_every_replica(
    pair: Pair, platform_environment: dict[str, str]
) -> None:
    listener = replace(MIRROR, subscriptions=(EARS,))
    async with served(listener, environment_of(platform_environment, "two")) as second:
        for mirror in (pair.mirror, Mirror(second.running)):
            await connected(mirror)
        for number in range(10):
            await pair.put("bell", str(number))
        for mirror in (pair.mirror, Mirror(second.running)):
            assert await heard_by(mirror, pair.tenant, 10) == [str(number) for number in range(10)]


async def test_preparing_again_changes_nothing(pair: Pair) -> None:
    lines = await prepare([SHELF, MIRROR], pair.environment)
    assert lines == ["schema shelf: up to date", "schema mirror: up to date", "topics: up to date"]


async def test_a_service_may_write_its_own_topics_only(pair: Pair) -> None:
    env = pair.environment
    broker = Broker(env["MAESTRO_KAFKA_BOOTSTRAP"], "mirror", env["MIRROR_KAFKA_PASSWORD"], "test")
    producer = AIOKafkaProducer(**broker.connection())
    await producer.start()
    try:
        await producer.send_and_wait("mirror.copy.v1", b"{}")
        with pytest.raises(TopicAuthorizationFailedError):
            await asyncio.wait_for(producer.send_and_wait(THINGS.name, b"forged"), 20)
    finally:
        await producer.stop()
