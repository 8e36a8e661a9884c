"""A service's way to the broker: how to connect, and a producer that outlives the broker."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    LeaderNotAvailableError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.partitioner import murmur2

from libs.common.background import asked_to_end, background, ended
from libs.common.events.envelope import Headers
from libs.common.http.idle import Patience
from libs.common.telemetry.logs import logger

LARGEST_MESSAGE: Final = 16 * 1024 * 1024
SEND_SECONDS: Final = 10.0
_OF_ONE_TOPIC: Final = (
    TimeoutError,
    KafkaTimeoutError,
    LeaderNotAvailableError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
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
    """Publishes with acknowledgement of all in-sync replicas, at least once, in order a partition.

    Connects in the background for as long as it takes; until then `publish` raises BrokerAway. A
    client is replaced when it takes nothing any more, or when a message of it failed: being
    idempotent, it has left a gap then, and the broker takes nothing behind a gap. That is what
    keeps the order, as a message that waited behind the failed one cannot arrive before it.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._producer: AIOKafkaProducer | None = None
        self._worn_out = asyncio.Event()
        self._under_way: set[asyncio.Future[object]] = set()

    async def publish(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers
    ) -> Awaitable[object]:
        """Queue a message; the future resolves when the broker has stored it."""
        if self._producer is None:
            raise BrokerAway("the broker has not been reached yet")
        try:
            # There is nearly always room for it at once, and then no timer is started.
            patience = Patience(SEND_SECONDS)
            try:
                future: asyncio.Future[object] = await patience.within(
                    self._producer.send(topic, value, key=key, headers=headers)
                )
            finally:
                patience.end()
        except _OF_ONE_TOPIC:
            raise
        except Exception:
            # What failed was the client's sender, and it takes nothing any more.
            self._worn_out.set()
            raise
        self._under_way.add(future)
        future.add_done_callback(self._arrived)
        return future

    def _arrived(self, future: asyncio.Future[object]) -> None:
        self._under_way.discard(future)
        if future.cancelled() or future.exception() is not None:
            self._worn_out.set()

    async def run(self) -> None:
        """Connect, then stay; ends only by cancellation."""
        delay = 0.2
        while True:
            producer = AIOKafkaProducer(
                **self._broker.connection(),
                acks="all",
                enable_idempotence=True,
                max_request_size=LARGEST_MESSAGE,
                partitioner=_partition,
                request_timeout_ms=30_000,
                retry_backoff_ms=200,
            )
            try:
                await producer.start()
                self._producer = producer
                self._worn_out.clear()
                delay = 0.2
                await self._worn_out.wait()
            except (KafkaError, OSError) as problem:
                _log.warning("broker_away", user=self._broker.username, error=repr(problem))
            finally:
                self._producer = None
                await _stop(producer)
                for future in [one for one in self._under_way if not one.done()]:
                    future.set_exception(BrokerAway("the client was replaced"))
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)


def _partition(key: bytes | None, partitions: list[int], available: list[int]) -> int:
    """The partition that Kafka's own clients choose for a key; any where there is none."""
    if key is None:
        return random.choice(available or partitions)  # noqa: S311 - no secret
    return partitions[_hash(key) % len(partitions)]


@lru_cache(maxsize=20_000)
def _hash(key: bytes) -> int:
    # In Python it costs more than all else that is done with a message.
    hashed: int = murmur2(key)
    return hashed & 0x7FFFFFFF


@asynccontextmanager
async def open_producer(broker: Broker) -> AsyncIterator[Producer]:
    """A producer that connects in the background for as long as the block lasts."""
    producer = Producer(broker)
    async with background({f"producer-{broker.username}": producer.run}):
        yield producer


async def _stop(client: AIOKafkaProducer) -> None:
    try:
        await asyncio.wait_for(client.stop(), 3)
    except (KafkaError, OSError, TimeoutError) as problem:
        # What it could not send must not be sent later, behind its successor's back; and a sender
        # that was left running would outlive us.
        await client.client.close()
        if (sender := client._sender.sender_task) is not None:  # noqa: SLF001 - no other way to it
            await ended([sender])
        _log.info("producer_stopped_hard", error=repr(problem))


async def leave(consumer: AIOKafkaConsumer, name: str) -> None:
    """Stop a consumer, also one that is in no state to stop."""
    try:
        await asyncio.wait_for(consumer.stop(), 3)
    except asyncio.CancelledError:
        if asked_to_end():
            raise
        # aiokafka 0.14 waits for a fetch that it has just cancelled, and gives up there.
        await consumer._client.close()  # noqa: SLF001 - there is no other way to its connections
    except (KafkaError, OSError, TimeoutError) as problem:
        _log.info("consumer_stopped_hard", name=name, error=repr(problem))
