"""A local process without a password gets nothing from the embedded parts."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest
import pytest_asyncio
import redis.asyncio
import redis.exceptions
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, ClusterMetadata

from libs.embedded import Parts
from tests.system.clients import Settings, administrator, create_topic, create_user, kafka_settings
from tests.waiting import eventually


async def ask_kafka(settings: Settings) -> ClusterMetadata:
    """What a client gets when it asks for the list of topics."""
    return await asyncio.to_thread(AdminClient(settings).list_topics, timeout=3)


async def all_refused(attempts: Sequence[Settings]) -> None:
    """Ask with each of the settings, at once, for each waits until its client gives up."""
    answers = await asyncio.gather(*map(ask_kafka, attempts), return_exceptions=True)
    assert [type(answer) for answer in answers] == [KafkaException] * len(attempts)


@pytest_asyncio.fixture(loop_scope="session")
async def topic(parts: Parts) -> AsyncIterator[str]:
    """A topic that nobody but the administrator was given anything on."""
    name = "closed"
    await asyncio.to_thread(create_topic, administrator(parts), name)
    yield name
    admin = AdminClient(administrator(parts))
    await asyncio.to_thread(admin.delete_topics([name])[name].result, 10)


@pytest.mark.parametrize("password", [None, "", "wrong"])
@pytest.mark.parametrize("user", ["postgres", "maestro", "nobody"])
async def test_postgres_refuses(parts: Parts, user: str, password: str | None) -> None:
    place = parts.environment["MAESTRO_POSTGRES_URL"].rpartition("@")[2]
    with pytest.raises(
        (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError)
    ):
        await asyncpg.connect(
            f"postgresql://{place}", user=user, password=password, passfile="absent"
        )


async def test_the_admin_role_of_postgres_is_no_superuser(parts: Parts) -> None:
    connection = await asyncpg.connect(parts.environment["MAESTRO_POSTGRES_URL"])
    row = await connection.fetchrow(
        "select rolsuper, rolbypassrls, rolreplication, rolcreaterole from pg_roles"
        " where rolname = current_user"
    )
    await connection.close()
    assert tuple(row) == (False, False, False, True)


@pytest.mark.parametrize("login", ["", ":wrong@"])
async def test_redis_refuses(parts: Parts, login: str) -> None:
    place = parts.environment["MAESTRO_REDIS_URL"].rpartition("@")[2]
    async with redis.asyncio.Redis.from_url(f"redis://{login}{place}") as client:
        with pytest.raises(redis.exceptions.AuthenticationError):
            await client.ping()


async def test_kafka_refuses_plain_text_and_wrong_passwords(parts: Parts) -> None:
    plain: Settings = {
        "bootstrap.servers": parts.environment["MAESTRO_KAFKA_BOOTSTRAP"],
        "log_level": 0,
    }
    attempts = (
        plain,
        kafka_settings(parts, "admin", "wrong"),
        kafka_settings(parts, "tracking", "wrong"),
        kafka_settings(parts, "ANONYMOUS", ""),
    )
    await all_refused(attempts)


async def test_kafkas_controller_refuses_plain_text_and_every_user(parts: Parts) -> None:
    port = json.loads((parts.home.path / "ports.json").read_text())["kafka-controller"]
    given = parts.environment
    place: Settings = {"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0}
    password = given["MAESTRO_KAFKA_ADMIN_PASSWORD"]
    attempts = (
        place,
        kafka_settings(parts, "admin", password) | place,
        kafka_settings(parts, "admin", password) | place | {"sasl.mechanism": "PLAIN"},
        kafka_settings(parts, "controller", "wrong") | place | {"sasl.mechanism": "PLAIN"},
    )
    await all_refused(attempts)


async def test_a_user_of_kafka_may_nothing_that_it_was_not_given(parts: Parts, topic: str) -> None:
    settings = kafka_settings(parts, "newcomer", "newcomer's password")
    await asyncio.to_thread(create_user, administrator(parts), "newcomer", "newcomer's password")
    # The broker learns of a user a moment after its controller has.
    seen = await eventually(lambda: ask_kafka(settings), within=10)
    assert topic not in seen.topics
    with pytest.raises(KafkaException, match="AUTHORIZATION_FAILED"):
        await asyncio.to_thread(create_topic, settings, "mine")
    failures: list[object] = []
    producer = Producer(settings)
    producer.produce(topic, b"forged", on_delivery=lambda error, _: failures.append(error))
    await asyncio.to_thread(producer.flush, 10)
    assert "AUTHORIZATION_FAILED" in str(failures[0])


async def test_kafka_makes_no_topic_by_itself(parts: Parts) -> None:
    client = AdminClient(administrator(parts) | {"allow.auto.create.topics": True})
    await asyncio.to_thread(client.list_topics, topic="unheard-of", timeout=5)
    seen = await asyncio.to_thread(client.list_topics, timeout=5)
    assert "unheard-of" not in seen.topics
