"""Watches that a consumer moves: it can hang after a broker's restart without any signal."""

import asyncio
import time
from typing import Final

from aiokafka import AIOKafkaConsumer

from libs.common.telemetry.metrics import MESSAGES_BEHIND

SILENT_SECONDS: Final = 5.0


class Stalled(Exception):
    """Messages wait at the broker and the consumer does not see them."""


class Progress:
    """Compares, whenever nothing came for a while, our positions with the topics' ends.

    It exports how far behind we are, unless somebody else does (`tells`).
    """

    def __init__(self, consumer: AIOKafkaConsumer, group: str, *, tells: bool = True) -> None:
        self._consumer = consumer
        self._group = group
        self._tells = tells
        self._moved_at = time.monotonic()
        self._behind_before = False

    async def note(self, *, moved: bool) -> None:
        """Call once a poll; raises Stalled when two looks in a row find messages waiting."""
        now = time.monotonic()
        if moved:
            self._moved_at, self._behind_before = now, False
            return
        if now - self._moved_at < SILENT_SECONDS:
            return
        self._moved_at = now
        behind = await messages_behind(self._consumer, self._group)
        if self._tells:
            MESSAGES_BEHIND.labels(self._group).set(behind)
        if behind and self._behind_before:
            raise Stalled(f"{self._group}: {behind} messages wait unseen")
        self._behind_before = behind > 0


async def messages_behind(consumer: AIOKafkaConsumer, group: str) -> int:
    """How many messages lie between our positions and the ends; raises Stalled without an answer."""
    assigned = consumer.assignment()
    if not assigned:
        return 0
    try:
        ends = await asyncio.wait_for(consumer.end_offsets(assigned), 10)
        positions = {
            partition: await asyncio.wait_for(consumer.position(partition), 5)
            for partition in assigned
        }
    except TimeoutError:
        raise Stalled(f"{group}: the broker does not answer") from None
    return sum(max(0, ends[partition] - at) for partition, at in positions.items())
