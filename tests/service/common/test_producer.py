"""The producer on a real broker: what failed for good leaves nothing behind that would fail."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio
from aiokafka.errors import TopicAuthorizationFailedError
from confluent_kafka.admin import AclBinding, AclBindingFilter, AdminClient

from libs.common.bus.link import Broker, BrokerAway, Producer, open_producer
from libs.common.bus.provision import wanted_rules
from tests.service.common.pair import Pair
from tests.service.common.shelf import SHELF, environment_of
from tests.waiting import eventually


def admin_of(environment: Mapping[str, str]) -> AdminClient:
    """The broker's administrator."""
    return AdminClient(
        {
            "bootstrap.servers": environment["MAESTRO_KAFKA_BOOTSTRAP"],
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": environment["MAESTRO_KAFKA_ADMIN_USERNAME"],
            "sasl.password": environment["MAESTRO_KAFKA_ADMIN_PASSWORD"],
            "log_level": 2,
        }
    )


def filter_of(rule: AclBinding) -> AclBindingFilter:
    """The filter that finds just this rule."""
    return AclBindingFilter(
        rule.restype,
        rule.name,
        rule.resource_pattern_type,
        rule.principal,
        rule.host,
        rule.operation,
        rule.permission_type,
    )


@pytest_asyncio.fixture(loop_scope="session")
async def producer(pair: Pair, platform_environment: dict[str, str]) -> AsyncIterator[Producer]:
    """A producer of the shelf that has reached the broker."""
    environment = environment_of(platform_environment, SHELF.name)
    broker = Broker(
        environment["MAESTRO_KAFKA_BOOTSTRAP"],
        environment["SHELF_KAFKA_USERNAME"],
        environment["SHELF_KAFKA_PASSWORD"],
        "test",
    )
    async with open_producer(broker) as found:
        await eventually(lambda: stored(found), within=20)
        yield found


async def stored(producer: Producer) -> bool:
    """Publish one message and wait until the broker has it."""
    topic = SHELF.publishes[0].name
    # A message of no tenant and no type: readers keep it as a dead letter, and nothing else.
    await asyncio.wait_for(await producer.publish(topic, b"x/unread", b"{}", []), 15)
    return True


async def test_a_right_that_was_taken_and_given_back_leaves_no_gap(
    producer: Producer, platform_environment: dict[str, str]
) -> None:
    admin = admin_of(platform_environment)
    topic = SHELF.publishes[0].name
    rules = [
        rule for rule in wanted_rules([SHELF]) if rule.name == topic and "shelf" in rule.principal
    ]
    await asyncio.to_thread(
        lambda: [
            done.result(20) for done in admin.delete_acls([filter_of(r) for r in rules]).values()
        ]
    )
    try:

        async def refused() -> bool:
            with pytest.raises((TopicAuthorizationFailedError, BrokerAway)):
                await stored(producer)
            return True

        await eventually(refused, within=20)
        await refused()
    finally:
        await asyncio.to_thread(
            lambda: [done.result(20) for done in admin.create_acls(rules).values()]
        )
    await eventually(lambda: stored(producer), within=20)
    assert await stored(producer)
