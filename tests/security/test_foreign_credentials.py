"""A service's own credentials open nothing of another service: schemas, topics, the cache."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from itertools import permutations

import asyncpg
import pytest
import pytest_asyncio
import redis.asyncio
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from libs.common.bus.provision import wanted_topics
from libs.common.contracts.ingest import INGEST, PRODUCER
from libs.embedded import Parts
from services import all_services
from services.steps import prepare
from tests.system.clients import kafka_settings
from tests.waiting import eventually

OWNERS = [service.name for service in all_services() if service.migrations is not None]
TOPICS = {topic.name: service.name for service in all_services() for topic in service.publishes}
SPEAKERS = [service.name for service in all_services()]
TABLES = "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind IN ('r', 'p')"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def environment(platform_environment: dict[str, str]) -> AsyncIterator[Mapping[str, str]]:
    """A platform with every schema, topic and rule."""
    await prepare(all_services(), platform_environment)
    yield platform_environment


@pytest.mark.parametrize("role", ["DATABASE_URL", "RELAY_DATABASE_URL"])
@pytest.mark.parametrize(("mine", "theirs"), list(permutations(OWNERS, 2)))
async def test_a_schema_refuses_another_services_roles(
    mine: str, theirs: str, role: str, environment: Mapping[str, str]
) -> None:
    admin = await asyncpg.connect(environment["MAESTRO_POSTGRES_URL"])
    named = f"{TABLES} AND relnamespace = $1::regnamespace"
    tables = [row["name"] for row in await admin.fetch(named, theirs)]
    await admin.close()
    assert tables
    connection = await asyncpg.connect(environment[f"{mine.upper()}_{role}"])
    try:
        for table in tables:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {table} LIMIT 1")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"DELETE FROM {table}")
    finally:
        await connection.close()


def outcome(settings: Mapping[str, object], topic: str) -> int | None:
    """The error that a message to a topic meets, None where it was stored. Blocks."""
    told: list[int | None] = []

    def arrived(error: KafkaError | None, _: Message) -> None:
        told.append(None if error is None else error.code())

    producer = Producer({**settings, "message.timeout.ms": 20_000})
    producer.produce(topic, b"forged", on_delivery=arrived)
    producer.flush(25)
    return told[0]


@pytest.mark.parametrize("speaker", SPEAKERS)
async def test_a_topic_refuses_whoever_is_not_its_producer(
    speaker: str, parts: Parts, environment: Mapping[str, str]
) -> None:
    password = environment[f"{speaker.upper()}_KAFKA_PASSWORD"]
    settings = kafka_settings(parts, speaker, password)
    foreign = sorted(topic for topic, owner in TOPICS.items() if owner != speaker)
    refused = await asyncio.gather(
        *(asyncio.to_thread(outcome, settings, topic) for topic in foreign)
    )
    assert dict(zip(foreign, refused, strict=True)) == dict.fromkeys(
        foreign, KafkaError.TOPIC_AUTHORIZATION_FAILED
    )


async def test_a_producer_outside_writes_ingestion_and_reads_nothing(
    parts: Parts, environment: Mapping[str, str]
) -> None:
    settings = kafka_settings(parts, PRODUCER, environment["TRACKING_KAFKA_PRODUCER_PASSWORD"])
    dead = [topic for topic in wanted_topics(all_services()) if topic.endswith(".dlt")]
    refused = await asyncio.gather(
        *(asyncio.to_thread(outcome, settings, topic) for topic in (*TOPICS, *dead))
    )
    assert set(refused) == {KafkaError.TOPIC_AUTHORIZATION_FAILED}

    async def stored() -> bool:
        return await asyncio.to_thread(outcome, settings, INGEST.name) is None

    # The broker learns of its rules a moment after they are made.
    await eventually(stored, within=15, pause=0.2)
    assert await asyncio.to_thread(read_error, settings) in {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }


def read_error(settings: Mapping[str, object]) -> int | None:
    """The error that reading the topic of ingestion meets, None where it gives a message. Blocks."""
    consumer = Consumer({**settings, "group.id": "nosy", "auto.offset.reset": "earliest"})
    try:
        consumer.assign([TopicPartition(INGEST.name, n, 0) for n in range(INGEST.partitions)])
        got = consumer.poll(20)
        assert got is not None
        error = got.error()
        return None if error is None else error.code()
    finally:
        consumer.close()


async def test_the_cache_refuses_whoever_has_another_password(
    environment: Mapping[str, str],
) -> None:
    address = environment["MAESTRO_REDIS_URL"].rpartition("@")[2]
    for login in ("", f":{environment['TRACKING_KAFKA_PASSWORD']}@"):
        client = redis.asyncio.Redis.from_url(f"redis://{login}{address}")
        with pytest.raises(redis.exceptions.AuthenticationError):
            await client.get("limit:0:platform")
        await client.aclose()
