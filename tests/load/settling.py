"""Waits until the platform has nothing left to do, so that no round pays for the one before it."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

import asyncpg
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

PATIENCE_SECONDS: Final = 120.0
_UNPUBLISHED: Final = """
    SELECT (SELECT count(*) FROM auth.outbox WHERE published_at IS NULL)
         + (SELECT count(*) FROM tracking.outbox WHERE published_at IS NULL)
         + (SELECT count(*) FROM registry.outbox WHERE published_at IS NULL)"""


class Settling:
    """Asks the outboxes and the broker how much is still under way."""

    def __init__(self, superuser_url: str, environment: Mapping[str, str]) -> None:
        self._url = superuser_url
        self._admin = AdminClient(
            {
                "bootstrap.servers": environment["MAESTRO_KAFKA_BOOTSTRAP"],
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "SCRAM-SHA-256",
                "sasl.username": environment["MAESTRO_KAFKA_ADMIN_USERNAME"],
                "sasl.password": environment["MAESTRO_KAFKA_ADMIN_PASSWORD"],
                # It outlives the broker at the end, and would say so.
                "log_level": 0,
            }
        )

    async def settled(self) -> float:
        """Wait until all facts are published and handled; gives the seconds that it took."""
        began = time.monotonic()
        connection = await asyncpg.connect(self._url)
        try:
            while await self._left(connection):
                if time.monotonic() - began > PATIENCE_SECONDS:
                    raise TimeoutError("facts are still under way; see the services' log")
                await asyncio.sleep(0.1)
        finally:
            await connection.close()
        return time.monotonic() - began

    async def _left(self, connection: "asyncpg.Connection") -> int:
        unpublished = int(await connection.fetchval(_UNPUBLISHED))
        return unpublished or await asyncio.to_thread(self._lag)

    def _lag(self) -> int:
        """Messages that some group has not handled yet."""
        groups = [found.group_id for found in self._admin.list_consumer_groups().result().valid]
        lag = 0
        for group in groups:
            asked = [ConsumerGroupTopicPartitions(group)]
            future = self._admin.list_consumer_group_offsets(asked)[group]
            places: list[TopicPartition] = future.result().topic_partitions
            latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
            wanted = {TopicPartition(p.topic, p.partition): latest for p in places}
            ends = self._admin.list_offsets(wanted)
            for place in places:
                end = ends[TopicPartition(place.topic, place.partition)].result().offset
                lag += end - max(place.offset, 0)
        return lag
