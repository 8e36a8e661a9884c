"""Messages on topics as an administrator of the broker sees and sends them."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from libs.common.bus.link import Broker
from libs.common.events.envelope import Headers


@dataclass(frozen=True)
class Letter:
    """One message on a topic."""

    partition: int
    key: bytes
    value: bytes
    headers: dict[str, bytes]

    @property
    def reason(self) -> str:
        """Why it was dead-lettered."""
        return self.headers["maestro_dead_reason"].decode()


def administrator(env: Mapping[str, str]) -> Broker:
    """The broker, as its administrator."""
    return Broker(
        env["MAESTRO_KAFKA_BOOTSTRAP"],
        env["MAESTRO_KAFKA_ADMIN_USERNAME"],
        env["MAESTRO_KAFKA_ADMIN_PASSWORD"],
        "test",
    )


async def letters(env: Mapping[str, str], topic: str) -> list[Letter]:
    """Every message that `topic` holds now, partition by partition."""
    consumer = AIOKafkaConsumer(
        topic,
        **administrator(env).connection(),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        partitions = sorted(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        found: list[Letter] = []
        for partition in partitions:
            while await consumer.position(partition) < ends[partition]:
                for record in (await consumer.getmany(partition, timeout_ms=500)).get(
                    partition, []
                ):
                    headers = dict(record.headers)
                    found.append(
                        Letter(partition.partition, record.key or b"", record.value, headers)
                    )
        return found
    finally:
        await consumer.stop()


async def post(
    env: Mapping[str, str],
    topic: str,
    value: bytes | None,
    headers: Headers,
    *,
    key: bytes = b"k",
    partition: int | None = None,
) -> None:
    """Put a message on a topic, whatever it holds."""
    producer = AIOKafkaProducer(**administrator(env).connection(), acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, key=key, headers=headers, partition=partition)
    finally:
        await producer.stop()
