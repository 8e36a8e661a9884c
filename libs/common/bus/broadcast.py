"""A broadcast subscription: every process hears everything from now on, without a group."""

import asyncio

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from libs.common.bus.link import Broker, leave
from libs.common.bus.watch import Progress, Stalled
from libs.common.events.envelope import Malformed, Unheard, open_event
from libs.common.service import Running, Subscription
from libs.common.telemetry.logs import logger, tenant_of_lines

_log = logger(__name__)


class Broadcast:
    """One broadcast subscription of a running service in this process.

    What was said while it was away is missed: `connected` runs at every (re)connect, so that the
    service drops what it may have missed the end of.
    """

    def __init__(self, running: Running, subscription: Subscription, broker: Broker) -> None:
        self._running = running
        self._subscription = subscription
        self._broker = broker
        self._topics = {topic.name: topic for topic in subscription.topics}

    async def run(self) -> None:
        """Listen for ever."""
        while True:
            try:
                await self._session()
            except (KafkaError, OSError, Stalled) as problem:
                _log.warning(
                    "broadcast_restarts", name=self._subscription.name, error=repr(problem)
                )
            await asyncio.sleep(1)

    async def _session(self) -> None:
        consumer = AIOKafkaConsumer(
            *self._topics,
            **self._broker.connection(),
            group_id=None,
            auto_offset_reset="latest",
            enable_auto_commit=False,
            request_timeout_ms=20_000,
        )
        try:
            await asyncio.wait_for(consumer.start(), 30)
            await consumer.seek_to_end()
            if self._subscription.connected is not None:
                await self._subscription.connected(self._running)
            name = f"{self._running.name}.{self._subscription.name}"
            progress = Progress(consumer, name)
            while True:
                batches = await consumer.getmany(timeout_ms=1000)
                for records in batches.values():
                    for record in records:
                        await self._hear(record.topic, record.headers, record.value)
                await progress.note(moved=bool(batches))
        finally:
            await leave(consumer, self._subscription.name)

    async def _hear(self, topic: str, headers: list[tuple[str, bytes]], value: bytes) -> None:
        try:
            event = open_event(self._topics[topic], headers, value)
            handler = self._subscription.handler_of(type(event.fact))
            if handler is not None:
                with tenant_of_lines(event.tenant_no):
                    await handler(self._running, event)
        except Unheard:
            return
        except Malformed as problem:
            _log.error("broadcast_malformed", topic=topic, reason=str(problem))
        except Exception:  # noqa: BLE001 - logged, and the loop goes on
            # One listener's trouble must not deafen it to the next message.
            _log.exception("broadcast_failed", topic=topic)
