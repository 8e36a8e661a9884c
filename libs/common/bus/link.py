"""A service's way to the broker: how to connect, and a producer that outlives the broker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from libs.common.events.envelope import Headers
from libs.common.telemetry.logs import logger

LARGEST_MESSAGE: Final = 16 * 1024 * 1024
_log = logger(__name__)


class BrokerAway(OSError):
    """The broker has not been reached yet."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and who we are to it (SASL/SCRAM-SHA-256).

    `member` names this process among its replicas, the same over a restart.
    """

    bootstrap: str
    username: str
    password: str
    member: str

    def connection(self) -> dict[str, Any]:
        """The arguments that every client of aiokafka takes."""
        return {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-256",
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }


class Producer:
    """Publishes with acknowledgement of all in-sync replicas and without doubling by its retries.

    Connects in the background for as long as it takes; until then `publish` raises BrokerAway.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._producer: AIOKafkaProducer | None = None

    async def publish(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers
    ) -> Awaitable[object]:
        """Queue a message; the future resolves when the broker has stored it."""
        if self._producer is None:
            raise BrokerAway("the broker has not been reached yet")
        future: Awaitable[object] = await asyncio.wait_for(
            self._producer.send(topic, value, key=key, headers=headers), 10
        )
        return future

    async def run(self) -> None:
        """Connect, then stay; ends only by cancellation."""
        delay = 0.2
        while True:
            producer = AIOKafkaProducer(
                **self._broker.connection(),
                acks="all",
                enable_idempotence=True,
                max_request_size=LARGEST_MESSAGE,
                request_timeout_ms=10_000,
                retry_backoff_ms=200,
            )
            try:
                await producer.start()
                self._producer = producer
                await asyncio.Event().wait()
            except (KafkaError, OSError) as problem:
                _log.warning("broker_away", user=self._broker.username, error=repr(problem))
            finally:
                self._producer = None
                await _stop(producer)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)


@asynccontextmanager
async def open_producer(broker: Broker) -> AsyncIterator[Producer]:
    """A producer that connects in the background for as long as the block lasts."""
    producer = Producer(broker)
    task = asyncio.create_task(producer.run(), name=f"producer-{broker.username}")
    try:
        yield producer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _stop(client: AIOKafkaProducer) -> None:
    try:
        await asyncio.wait_for(client.stop(), 3)
    except (KafkaError, OSError, TimeoutError) as problem:
        _log.info("producer_stopped_hard", error=repr(problem))
