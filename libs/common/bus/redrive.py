"""Redrive: puts dead letters back on their topic, with their event ids, for the groups to apply.

A group that applied the event already finds it in its inbox and passes it over.
"""

from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from libs.common.bus.link import LARGEST_MESSAGE, Broker

GROUP: Final = "maestro.redrive"


async def redrive(broker: Broker, dead_topics: list[str]) -> dict[str, int]:
    """Put back every message of `dead_topics` not put back before; how many from each."""
    consumer = AIOKafkaConsumer(
        **broker.connection(),
        group_id=GROUP,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=LARGEST_MESSAGE,
    )
    producer = AIOKafkaProducer(
        **broker.connection(),
        acks="all",
        enable_idempotence=True,
        max_request_size=LARGEST_MESSAGE,
    )
    await consumer.start()
    await producer.start()
    try:
        return {name: await _put_back(consumer, producer, name) for name in dead_topics}
    finally:
        await producer.stop()
        await consumer.stop()


async def _put_back(consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, name: str) -> int:
    partition = TopicPartition(name, 0)
    consumer.assign([partition])
    start = await consumer.committed(partition)
    end = (await consumer.end_offsets([partition]))[partition]
    begin = (await consumer.beginning_offsets([partition]))[partition]
    at = max(begin, start or 0)
    consumer.seek(partition, at)
    moved = 0
    while at < end:
        found = await consumer.getmany(partition, timeout_ms=2000)
        for record in found.get(partition, []):
            if record.offset >= end:
                break
            origin = _origin(record.headers)
            kept = [pair for pair in record.headers if not pair[0].startswith("maestro_dead_")]
            await producer.send_and_wait(origin, record.value, key=record.key, headers=kept)
            at = record.offset + 1
            moved += 1
            await consumer.commit({partition: at})
    return moved


def _origin(headers: list[tuple[str, bytes]]) -> str:
    for name, raw in headers:
        if name == "maestro_dead_from":
            return raw.decode().split("/")[0]
    raise ValueError("a dead letter without maestro_dead_from: it was not written by us")
