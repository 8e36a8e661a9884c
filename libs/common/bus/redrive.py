"""Redrive: puts dead letters back on their topic, with their event ids, for the groups to apply.

A group that applied the event already finds it in its inbox and passes it over. A letter that does
not say where it comes from, or names a topic that this dead-letter topic is not for, was not written
by us: it is reported, stays where it is and holds up nothing.
"""

from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from libs.common.bus.link import LARGEST_MESSAGE, Broker
from libs.common.telemetry.logs import logger

GROUP: Final = "maestro.redrive"
_log = logger(__name__)


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
            origin = _origin(name, record.headers)
            if origin is None:
                _log.warning("dead_letter_of_unknown_origin", topic=name, offset=record.offset)
            else:
                kept = [pair for pair in record.headers if not pair[0].startswith("maestro_dead_")]
                await producer.send_and_wait(origin, record.value, key=record.key, headers=kept)
                moved += 1
            at = record.offset + 1
            await consumer.commit({partition: at})
    return moved


def _origin(dead_topic: str, headers: Sequence[tuple[str, bytes | None]]) -> str | None:
    """The topic that a letter came from; None when it does not name the one of `dead_topic`."""
    for name, raw in headers:
        if name == "maestro_dead_from":
            topic = (raw or b"").decode(errors="replace").split("/")[0]
            # `<topic>.<group>.dlt`, see bus/work.py: nothing is put onto a topic of its choice.
            return topic if topic and dead_topic.startswith(f"{topic}.") else None
    return None
