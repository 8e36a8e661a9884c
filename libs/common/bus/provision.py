"""The explicit step that makes topics, broker users and access rules from what services declare.

confluent-kafka's admin client, because aiokafka's knows neither access rules nor SCRAM users.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from libs.common.bus.letters import dead_letter_topic
from libs.common.bus.work import group_of
from libs.common.contracts.ingest import PRODUCER
from libs.common.contracts.topic import Topic
from libs.common.service import Service

LARGEST_MESSAGE: Final = 16 * 1024 * 1024
LARGEST_FROM_OUTSIDE: Final = 1_100_000
_DEAD_LETTER_HOURS: Final = 24 * 90
_SECONDS: Final = 30


async def provision(
    services: Iterable[Service],
    *,
    bootstrap: str,
    username: str,
    password: str,
    passwords: Mapping[str, str],
    replication: int = 1,
) -> list[str]:
    """Make what is missing; the names of the topics that were created. Safe to repeat.

    `username` is the broker's administrator; `passwords` are those of the services' users and of producers outside.
    """
    admin = AdminClient(
        {
            "bootstrap.servers": bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": username,
            "sasl.password": password,
            "log_level": 2,
        }
    )
    listed = list(services)
    await asyncio.to_thread(_users, admin, passwords)
    created = await asyncio.to_thread(_topics, admin, listed, replication)
    await asyncio.to_thread(_rules, admin, listed)
    return created


class Shape(NamedTuple):
    """How a topic is made."""

    partitions: int
    retention_hours: int
    external: bool = False


def wanted_topics(services: Iterable[Service]) -> dict[str, Shape]:
    """Every topic by name, those for producers outside and dead-letter topics included."""
    wanted: dict[str, Shape] = {}
    for service in services:
        for topic in (*service.publishes, *_from_outside(service)):
            wanted[topic.name] = Shape(topic.partitions, topic.retention_hours, topic.external)
        for subscription in service.subscriptions:
            if subscription.in_group:
                group = group_of(service.name, subscription)
                for topic in subscription.topics:
                    wanted[dead_letter_topic(topic.name, group)] = Shape(1, _DEAD_LETTER_HOURS)
    return wanted


def takes_from_outside(service: Service) -> bool:
    """Whether a service hears producers outside the platform, who then need a user."""
    return bool(_from_outside(service))


def wanted_rules(services: Iterable[Service]) -> list[AclBinding]:
    """Who may do what: a service writes its own topics and dead letters, reads what it hears."""
    rules: list[AclBinding] = []
    for service in services:
        for topic in service.publishes:
            rules += _allow(service.name, ResourceType.TOPIC, topic.name, AclOperation.WRITE)
        for topic in _from_outside(service):
            rules += _allow(PRODUCER, ResourceType.TOPIC, topic.name, AclOperation.WRITE)
        for subscription in service.subscriptions:
            for topic in subscription.topics:
                rules += _allow(service.name, ResourceType.TOPIC, topic.name, AclOperation.READ)
            if subscription.in_group:
                group = group_of(service.name, subscription)
                rules += _allow(service.name, ResourceType.GROUP, group, AclOperation.READ)
                for topic in subscription.topics:
                    dead = dead_letter_topic(topic.name, group)
                    rules += _allow(service.name, ResourceType.TOPIC, dead, AclOperation.WRITE)
    return list(dict.fromkeys(rules))


def _from_outside(service: Service) -> list[Topic]:
    heard = {topic.name: topic for sub in service.subscriptions for topic in sub.topics}
    return [topic for topic in heard.values() if topic.external]


def _allow(user: str, kind: ResourceType, name: str, operation: AclOperation) -> list[AclBinding]:
    return [
        AclBinding(
            kind,
            name,
            ResourcePatternType.LITERAL,
            f"User:{user}",
            "*",
            allowed,
            AclPermissionType.ALLOW,
        )
        for allowed in (operation, AclOperation.DESCRIBE)
    ]


def _users(admin: AdminClient, passwords: Mapping[str, str]) -> None:
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
    changes: list[Any] = [
        UserScramCredentialUpsertion(user, info, password.encode())
        for user, password in passwords.items()
    ]
    if changes:
        for future in admin.alter_user_scram_credentials(changes).values():
            future.result(_SECONDS)


def _topics(admin: AdminClient, services: list[Service], replication: int) -> list[str]:
    there = admin.list_topics(timeout=_SECONDS).topics
    missing = {name: shape for name, shape in wanted_topics(services).items() if name not in there}
    if not missing:
        return []
    futures = admin.create_topics(
        [
            NewTopic(
                name,
                num_partitions=shape.partitions,
                replication_factor=replication,
                config=_settings(shape, replication),
            )
            for name, shape in missing.items()
        ]
    )
    for future in futures.values():
        try:
            future.result(_SECONDS)
        except KafkaException as problem:
            if problem.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise
    return list(missing)


def _settings(shape: Shape, replication: int) -> dict[str, str]:
    largest = LARGEST_FROM_OUTSIDE if shape.external else LARGEST_MESSAGE
    settings = {
        "retention.ms": str(shape.retention_hours * 3_600_000),
        "max.message.bytes": str(largest),
        "min.insync.replicas": str(max(1, replication - 1)),
    }
    if shape.external:
        # What we can read whatever the producer's codec is, and when it came by our clock.
        settings["compression.type"] = "uncompressed"
        settings["message.timestamp.type"] = "LogAppendTime"
    return settings


def _rules(admin: AdminClient, services: list[Service]) -> None:
    rules = wanted_rules(services)
    if rules:
        for future in admin.create_acls(rules).values():
            future.result(_SECONDS)
