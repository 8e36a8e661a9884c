"""A replica keeps its place in its group over a restart, so that nobody waits for its old session."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

from confluent_kafka.admin import AdminClient

from libs.common.events.envelope import Event
from libs.common.events.outbox import UnitOfWork
from libs.common.service import Subscription
from services.steps import prepare
from tests.service.common.pair import Pair
from tests.service.common.shelf import MIRROR, THINGS
from tests.serving import served
from tests.waiting import eventually


async def note(work: UnitOfWork, event: Event) -> None:
    """Note an effect of this group."""
    work.silent("a test's own note")
    await work.connection.execute(
        "INSERT INTO effects (tenant_no, thing, word, version, event_id)"
        " VALUES ($1, $2, 'alone', $3, $4)",
        event.tenant_no,
        event.fact.thing.thing,
        event.version,
        event.id,
    )


# A group of its own, in which no other test's replicas are missed.
ALONE = replace(MIRROR, subscriptions=(Subscription("alone", (THINGS,), any_fact=note),))
SESSION_SECONDS = 15.0


def members(env: Mapping[str, str]) -> list[str | None]:
    """The static names of the group's members, as the broker has them. Blocks."""
    admin = AdminClient(
        {
            "bootstrap.servers": env["MAESTRO_KAFKA_BOOTSTRAP"],
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": env["MAESTRO_KAFKA_ADMIN_USERNAME"],
            "sasl.password": env["MAESTRO_KAFKA_ADMIN_PASSWORD"],
        }
    )
    (future,) = admin.describe_consumer_groups(["mirror.alone"]).values()
    return [member.group_instance_id for member in future.result(10).members]


async def noted(pair: Pair, count: int) -> list[str]:
    """The things whose facts had an effect in this group, once there are `count`."""

    async def there() -> list[str]:
        effects = await pair.mirror.effects(pair.tenant)
        things = [effect.thing for effect in effects if effect.word == "alone"]
        return things if len(things) >= count else []

    return await eventually(there, within=40)


async def test_a_replica_keeps_its_place_over_a_restart(pair: Pair) -> None:
    env = pair.environment
    await prepare([ALONE], env)
    ended = 0.0
    for count in (1, 2):
        async with served(ALONE, env):
            await pair.put("lamp", "on")
            await noted(pair, count)
            if ended:
                assert time.monotonic() - ended < SESSION_SECONDS
        ended = time.monotonic()
        assert await asyncio.to_thread(members, env) == ["mirror.alone.one"]


async def test_replicas_share_the_work_and_each_fact_has_one_effect(pair: Pair) -> None:
    await prepare([ALONE], pair.environment)
    second = {**pair.environment, "MAESTRO_INSTANCE": "two"}
    things = [f"thing-{number}" for number in range(30)]
    async with served(ALONE, pair.environment), served(ALONE, second):
        for thing in things:
            await pair.put(thing, "on")
        found = await noted(pair, 30)
        both = await asyncio.to_thread(members, pair.environment)
        assert sorted(str(name) for name in both) == ["mirror.alone.one", "mirror.alone.two"]
    assert sorted(found) == sorted(things)
