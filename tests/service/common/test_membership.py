"""A replica keeps its place in its group over a restart, so that nobody waits for its old session."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

from confluent_kafka.admin import AdminClient

from libs.common.service import Subscription
from services.steps import prepare
from tests.service.common.pair import Mirror, Pair
from tests.service.common.shelf import MIRROR, THINGS, copy
from tests.serving import served
from tests.waiting import eventually

# A group of its own, in which no other test's replicas are missed.
ALONE = replace(MIRROR, subscriptions=(Subscription("alone", (THINGS,), any_fact=copy),))
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


async def test_a_replica_keeps_its_place_over_a_restart(pair: Pair) -> None:
    env = pair.environment
    await prepare([ALONE], env)
    begun = 0.0
    for word in ("first", "second"):
        async with served(ALONE, env) as client:
            mirror = Mirror(client.running)
            await pair.put("lamp", word)

            async def there(mirror: Mirror = mirror, word: str = word) -> bool:
                effects = await mirror.effects(pair.tenant)
                return len([effect for effect in effects if effect.word == word]) == 2

            await eventually(there, within=40)
            if begun:
                assert time.monotonic() - begun < SESSION_SECONDS
        begun = time.monotonic()
        assert await asyncio.to_thread(members, env) == ["mirror.alone.one"]
