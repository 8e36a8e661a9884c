"""PostgreSQL away: clients hear to come again, consumers wait, nothing is lost or given up."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from libs.common.bus.letters import dead_letter_topic
from libs.common.events.envelope import headers
from libs.embedded import Parts
from tests.faults.conftest import Stage
from tests.faults.evidence import settled
from tests.faults.writers import Oracle, writing
from tests.service.common.letters import letters, post
from tests.service.common.pair import Pair, running_pair
from tests.service.common.shelf import SHELF, THINGS, environment_of
from tests.serving import prepared, served
from tests.waiting import eventually

AWAY_SECONDS = 6.0
RECOVERY_SECONDS = 5.0
DEAD = dead_letter_topic(THINGS.name, "mirror.things")


@pytest_asyncio.fixture(loop_scope="session")
async def pair(breakable: Parts) -> AsyncIterator[Pair]:
    """The shelf and the mirror on the parts that may be broken."""
    async with running_pair(breakable.environment) as running:
        yield running.fresh()


async def tell(pair: Pair, version: int) -> None:
    """A fact of the pair's tenant straight to the topic, as its relay would send it."""
    given = headers(
        event_id=uuid.uuid4(),
        type_name="shelf.thing.changed",
        service="shelf",
        key="lamp",
        tenant=pair.tenant.id,
        tenant_no=pair.tenant.number,
        subject="ann",
        version=version,
        time="2026-01-02T03:04:05+00:00",
        traceparent="",
    )
    value = f'{{"version":{version},"thing":{{"thing":"lamp","word":"{version}"}}}}'.encode()
    await post(pair.environment, THINGS.name, value, given, key=f"{pair.tenant.id}/lamp".encode())


async def test_facts_wait_for_the_database_and_none_is_given_up(
    breakable: Parts, pair: Pair
) -> None:
    postgres = breakable.postgres
    assert postgres is not None
    dead_before = len(await letters(pair.environment, DEAD))
    await tell(pair, 1)
    await eventually(lambda: pair.mirror.copies(pair.tenant), within=20)
    await postgres.stop()
    stopped = time.monotonic()
    version = 1
    while time.monotonic() - stopped < AWAY_SECONDS:
        version += 1
        await tell(pair, version)
        await asyncio.sleep(0.2)
    await postgres.start()

    async def all_there() -> bool:
        return (await pair.mirror.copies(pair.tenant))["lamp"] == (str(version), version)

    await eventually(all_there, within=20)
    effects = await pair.mirror.effects(pair.tenant)
    assert [effect.version for effect in effects] == list(range(1, version + 1))
    assert len(await letters(pair.environment, DEAD)) == dead_before


async def test_a_service_waits_at_its_start_for_the_database(breakable: Parts) -> None:
    postgres = breakable.postgres
    assert postgres is not None
    await prepared([SHELF], environment_of(breakable.environment))
    await postgres.stop()
    starting = asyncio.create_task(_put_a_thing(breakable))
    try:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(starting), 1)
    finally:
        await postgres.start()
    assert await asyncio.wait_for(starting, 15) == 200


async def _put_a_thing(breakable: Parts) -> int:
    async with served(SHELF, environment_of(breakable.environment)) as client:
        return (await client.ask("POST", "/things", {"thing": "lamp", "word": "on"})).status


async def test_clients_hear_503_with_retry_after_and_nothing_acknowledged_is_lost(
    stage: Stage,
) -> None:
    postgres, oracle = stage.parts.postgres, Oracle()
    assert postgres is not None
    started = await stage.nursery.start(stage.environment)
    try:
        async with writing(stage.url, stage.signer, oracle) as writers:
            writers.open.set()
            for stop in (postgres.stop, _killed(stage.parts)):
                before = oracle.acknowledged
                await eventually(lambda: oracle.acknowledged > before + 30, within=30)  # noqa: B023
                failures = oracle.answers[503]
                await stop()
                await eventually(lambda: oracle.answers[503] > failures, within=20)  # noqa: B023
                await postgres.start()
                back = time.monotonic()
                await eventually(lambda: oracle.last_success > back, within=RECOVERY_SECONDS)  # noqa: B023
        assert set(oracle.answers) == {200, 503}, oracle.unexpected
        assert oracle.unexpected == []
        assert not started.ended.done()
        evidence = await settled(stage.environment, oracle.tenant, within=30)
        assert (evidence.lost(oracle), evidence.doubled()) == ([], [])
        assert (evidence.out_of_order(), evidence.unexplained(oracle)) == ([], 0)
    finally:
        await started.end()


def _killed(parts: Parts) -> Callable[[], Awaitable[None]]:
    async def kill() -> None:
        assert parts.postgres is not None
        parts.postgres.kill()

    return kill
