"""Plain clients of the three parts, for tests that look at them from outside."""

import asyncio
from dataclasses import dataclass

import asyncpg
import redis.asyncio
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    NewTopic,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from libs.embedded import Parts

Settings = dict[str, str | int | float | bool]


def kafka_settings(parts: Parts, user: str, password: str) -> Settings:
    """A client's settings for one of Kafka's users, giving up early."""
    return {
        "bootstrap.servers": parts.environment["MAESTRO_KAFKA_BOOTSTRAP"],
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": user,
        "sasl.password": password,
        "log_level": 0,
    }


def administrator(parts: Parts) -> Settings:
    """The settings of Kafka's administrator."""
    given = parts.environment
    return kafka_settings(
        parts, given["MAESTRO_KAFKA_ADMIN_USERNAME"], given["MAESTRO_KAFKA_ADMIN_PASSWORD"]
    )


def create_topic(settings: Settings, name: str) -> None:
    """Make a topic of one partition; raises KafkaException when refused. Blocks."""
    client = AdminClient(settings)
    client.create_topics([NewTopic(name, 1, 1)])[name].result(10)


def create_user(settings: Settings, name: str, password: str) -> None:
    """Make a user with a password and nothing else. Blocks."""
    client = AdminClient(settings)
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
    order = UserScramCredentialUpsertion(name, info, password.encode())
    client.alter_user_scram_credentials([order])[name].result(10)


@dataclass
class Note:
    """One word, kept in all three parts under one name."""

    name: str
    word: str

    async def write(self, parts: Parts) -> None:
        """Write the word to each part and have each part's word that it is written."""
        await self._write_postgres(parts)
        async with redis.asyncio.Redis.from_url(parts.environment["MAESTRO_REDIS_URL"]) as client:
            await client.set(self.name, self.word)
        await asyncio.to_thread(self._write_kafka, parts)

    async def read(self, parts: Parts) -> dict[str, str | None]:
        """The word as each part has it."""
        return {
            "postgres": await self._read_postgres(parts),
            "redis": await self._read_redis(parts),
            "kafka": await asyncio.to_thread(self._read_kafka, parts),
        }

    async def _write_postgres(self, parts: Parts) -> None:
        connection = await asyncpg.connect(parts.environment["MAESTRO_POSTGRES_URL"])
        await connection.execute("create table if not exists note (name text, word text)")
        await connection.execute("insert into note values ($1, $2)", self.name, self.word)
        await connection.close()

    async def _read_postgres(self, parts: Parts) -> str | None:
        connection = await asyncpg.connect(parts.environment["MAESTRO_POSTGRES_URL"])
        try:
            found = await connection.fetchval("select word from note where name = $1", self.name)
        except asyncpg.UndefinedTableError:
            return None
        finally:
            await connection.close()
        return None if found is None else str(found)

    async def _read_redis(self, parts: Parts) -> str | None:
        async with redis.asyncio.Redis.from_url(parts.environment["MAESTRO_REDIS_URL"]) as client:
            found = await client.get(self.name)
        return None if found is None else str(found, "utf-8") if isinstance(found, bytes) else found

    def _write_kafka(self, parts: Parts) -> None:
        create_topic(administrator(parts), self.name)
        failures: list[object] = []
        producer = Producer(administrator(parts) | {"acks": "all"})
        producer.produce(
            self.name,
            self.word,
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
        assert producer.flush(10) == 0
        assert failures == []

    def _read_kafka(self, parts: Parts) -> str | None:
        consumer = Consumer(administrator(parts) | {"group.id": "nobody"})
        try:
            consumer.assign([TopicPartition(self.name, 0, 0)])
            message = consumer.poll(10)
            value = None if message is None or message.error() else message.value()
            return None if value is None else bytes(value).decode()
        finally:
            consumer.close()
