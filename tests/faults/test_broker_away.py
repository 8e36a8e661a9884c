"""Kafka away: writes go on, and all that was told meanwhile arrives afterwards, in order, once."""

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest_asyncio

from libs.common.bus.letters import dead_letter_topic
from libs.embedded import Parts
from tests.faults.conftest import Stage
from tests.faults.evidence import settled
from tests.faults.writers import Oracle, writing
from tests.service.common.letters import letters
from tests.service.common.pair import Pair, running_pair
from tests.service.common.shelf import THINGS
from tests.waiting import eventually

AWAY_SECONDS = float(os.environ.get("FAULT_SECONDS", "20"))
WRITERS = 8
TENANTS = 4
PAUSE_SECONDS = 0.05
SLOWEST_WRITE = 5.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def both(breakable: Parts) -> AsyncIterator[Pair]:
    """The shelf and the mirror on the parts that may be broken."""
    async with running_pair(breakable.environment) as running:
        yield running


class Shelves:
    """Writers that change a thing each, over and over, and remember what was acknowledged."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.acknowledged: dict[str, list[str]] = {f"thing-{n}": [] for n in range(WRITERS)}
        self.slowest = 0.0
        self.enough = False

    async def write(self, thing: str) -> None:
        """Change one thing until it is enough; every write must succeed."""
        for number in itertools.count():
            if self.enough:
                return
            begun = time.monotonic()
            await self.pair.put(thing, f"{thing} {number}")
            self.slowest = max(self.slowest, time.monotonic() - begun)
            self.acknowledged[thing].append(f"{thing} {number}")
            await asyncio.sleep(PAUSE_SECONDS)

    async def arrived(self, within: float) -> None:
        """Wait until each thing's last word is in the mirror; then each must have come once."""
        pair = self.pair
        expected = {thing: (words[-1], len(words)) for thing, words in self.acknowledged.items()}

        async def there() -> bool:
            return await pair.mirror.copies(pair.tenant) == expected

        await eventually(there, within=within, pause=0.1)
        effects = await pair.mirror.effects(pair.tenant)
        for thing, words in self.acknowledged.items():
            assert [effect.word for effect in effects if effect.thing == thing] == words


@asynccontextmanager
async def shelving(pair: Pair) -> AsyncIterator[Shelves]:
    """Writers at work while inside; a failed write fails the test at the end."""
    shelves = Shelves(pair)
    tasks = [asyncio.create_task(shelves.write(thing)) for thing in shelves.acknowledged]
    try:
        yield shelves
    finally:
        shelves.enough = True
        await asyncio.gather(*tasks)


def counted(shelves: Shelves) -> int:
    """How many writes were acknowledged."""
    return sum(len(words) for words in shelves.acknowledged.values())


async def more_written(shelves: Shelves, count: int) -> None:
    """Wait until `count` more writes were acknowledged."""
    before = counted(shelves)
    await eventually(lambda: counted(shelves) >= before + count, within=30)


async def test_writes_go_on_while_kafka_is_stopped_and_their_facts_come_later(
    breakable: Parts, both: Pair
) -> None:
    kafka, pair = breakable.kafka, both.fresh()
    assert kafka is not None
    async with shelving(pair) as shelves:
        await more_written(shelves, 50)
        await kafka.stop()
        stopped, before = time.monotonic(), counted(shelves)
        while time.monotonic() - stopped < AWAY_SECONDS:
            await more_written(shelves, 20)
        assert counted(shelves) > before + AWAY_SECONDS * WRITERS
        await kafka.start()
        await more_written(shelves, 50)
    assert shelves.slowest < SLOWEST_WRITE
    await shelves.arrived(within=60)


async def test_what_64_clients_are_told_is_stored_while_kafka_is_stopped(stage: Stage) -> None:
    kafka, oracles = stage.parts.kafka, [Oracle() for _ in range(TENANTS)]
    assert kafka is not None
    started = await stage.nursery.start(stage.environment)
    try:
        async with writing(stage.url, stage.signer, *oracles) as writers:
            writers.open.set()
            await more_told(oracles, 100)
            await kafka.stop()
            await more_told(oracles, 1_000)
            await kafka.start()
            await more_told(oracles, 100)
        for oracle in oracles:
            assert (set(oracle.answers), oracle.unexpected) == ({200}, [])
            evidence = await settled(stage.environment, oracle.tenant, within=60)
            assert (evidence.lost(oracle), evidence.doubled()) == ([], [])
            assert (evidence.out_of_order(), evidence.unexplained(oracle)) == ([], 0)
    finally:
        await started.end()
        if kafka.pid is None:
            await kafka.start()


async def more_told(oracles: list[Oracle], count: int) -> None:
    """Wait until so many more writes of all tenants were acknowledged."""
    before = sum(oracle.acknowledged for oracle in oracles)
    await eventually(lambda: sum(o.acknowledged for o in oracles) >= before + count, within=60)


async def test_consumers_move_on_after_the_broker_was_killed_again_and_again(
    breakable: Parts, both: Pair
) -> None:
    kafka, pair = breakable.kafka, both.fresh()
    assert kafka is not None
    async with shelving(pair) as shelves:
        for _ in range(2):
            await more_written(shelves, 50)
            kafka.kill()
            await kafka.start()
        await more_written(shelves, 50)
    await shelves.arrived(within=60)


async def test_services_start_without_the_broker_and_tell_when_it_comes(
    breakable: Parts,
) -> None:
    kafka = breakable.kafka
    assert kafka is not None
    await kafka.stop()
    try:
        async with running_pair(breakable.environment) as started:
            pair = started.fresh()
            assert await pair.put("lamp", "on") == 1
            await kafka.start()
            await eventually(lambda: pair.mirror.copies(pair.tenant), within=30)
    finally:
        if kafka.pid is None:
            await kafka.start()


async def test_a_broadcast_hears_again_after_the_broker_was_away(both: Pair) -> None:
    pair = both.fresh()
    words: list[str] = []

    async def heard() -> bool:
        words.append(str(len(words)))
        await pair.put("bell", words[-1])
        return any(event.tenant == pair.tenant.id for event in pair.mirror.ears.heard)

    await eventually(heard, within=30, pause=0.2)


async def test_nothing_was_dead_lettered_by_all_that(both: Pair) -> None:
    assert await letters(both.environment, dead_letter_topic(THINGS.name, "mirror.things")) == []
