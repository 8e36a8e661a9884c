"""A message that failed is not overtaken by one that waited behind it, on the real broker."""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, LeaderNotAvailableError

from libs.common.bus.link import Broker, BrokerAway, Producer, open_producer
from tests.service.common.letters import letters
from tests.service.common.pair import Pair
from tests.service.common.shelf import COPIES
from tests.waiting import eventually


def broker_of(pair: Pair) -> Broker:
    """The broker as the mirror reaches it."""
    env = pair.environment
    return Broker(env["MAESTRO_KAFKA_BOOTSTRAP"], "mirror", env["MIRROR_KAFKA_PASSWORD"], "test")


async def queued(producer: Producer, pair: Pair, value: str) -> "asyncio.Future[object]":
    """A message under way; not sent before the event loop gets its turn."""
    key = f"{pair.tenant.id}/cup".encode()
    return asyncio.ensure_future(await producer.publish(COPIES.name, key, value.encode(), []))


def fail_what_is_queued(producer: Producer) -> None:
    """What aiokafka does to a batch that found no leader in time: taken out, numbered, failed."""
    client = producer._producer
    assert client is not None
    batch = client._message_accumulator._pop_batch(TopicPartition(COPIES.name, 0))
    batch.failure(LeaderNotAvailableError())


async def test_nothing_overtakes_a_message_that_failed(pair: Pair) -> None:
    async with open_producer(broker_of(pair)) as producer:
        await eventually(lambda: producer._producer is not None, within=15)
        await (await queued(producer, pair, "0"))
        first = await queued(producer, pair, "1")
        fail_what_is_queued(producer)
        second = await queued(producer, pair, "2")
        with pytest.raises(LeaderNotAvailableError):
            await first
        with pytest.raises((KafkaError, BrokerAway)):
            await second
        for value in ("1", "2", "3"):
            await eventually(lambda: producer._producer is not None, within=15)
            await (await queued(producer, pair, value))
    told = [
        letter.value.decode()
        for letter in await letters(pair.environment, COPIES.name)
        if letter.key.startswith(pair.tenant.id.encode())
    ]
    assert told == ["0", "1", "2", "3"]


async def test_without_a_broker_it_says_so_at_once(pair: Pair) -> None:
    nowhere = Broker("127.0.0.1:1", "mirror", "none", "test")
    async with open_producer(nowhere) as producer:
        with pytest.raises(BrokerAway):
            await producer.publish(COPIES.name, b"k", b"v", [])
