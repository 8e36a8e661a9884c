"""Dead letters: messages that a group gave up on, kept as they were with the reason in headers."""

import asyncio
from typing import Final

from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError

from libs.common.bus.link import Producer
from libs.common.events.envelope import traceparent_of
from libs.common.events.messages import Unfit
from libs.common.telemetry.logs import logger
from libs.common.telemetry.metrics import MESSAGES_HANDLED

# Redrive takes these off.
MARK: Final = "maestro_dead_"
_log = logger(__name__)


def dead_letter_topic(topic: str, group: str) -> str:
    """Where `group` keeps the messages of `topic` that it could not apply."""
    return f"{topic}.{group}.dlt"


async def bury(producer: Producer, group: str, record: ConsumerRecord, unfit: Unfit) -> None:
    """Keep the message with its reason; without limit, as losing it is not an option."""
    topic = dead_letter_topic(record.topic, group)
    place = f"{record.topic}/{record.partition}/{record.offset}"
    added = {name for name, _ in unfit.headers}
    headers = [
        pair for pair in record.headers if not pair[0].startswith(MARK) and pair[0] not in added
    ]
    headers += [*unfit.headers, (f"{MARK}reason", unfit.reason[:2000].encode(errors="replace"))]
    if unfit.field:
        headers.append((f"{MARK}field", unfit.field.encode(errors="replace")))
    headers.append((f"{MARK}from", place.encode()))
    while True:
        try:
            await (await producer.publish(topic, record.key, record.value, headers))
            break
        except (KafkaError, OSError) as problem:
            _log.warning("dead_letter_waits", topic=topic, error=repr(problem))
            await asyncio.sleep(1)
    MESSAGES_HANDLED.labels(group, record.topic, "dead").inc()
    _log.error(
        "message_dead_lettered",
        group=group,
        place=place,
        field=unfit.field,
        reason=unfit.reason,
        trace=traceparent_of(record.headers),
    )
