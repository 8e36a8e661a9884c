"""A batch is applied as one; what is to blame for its failure is found, and nothing else is put aside."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import pytest
from aiokafka import ConsumerRecord

from libs.common.bus import batches
from libs.common.bus.batches import Batches
from libs.common.bus.lag import Lag
from libs.common.bus.link import Broker, Producer
from libs.common.bus.work import TRIES
from libs.common.contracts.ingest import INGEST
from libs.common.errors import unavailable
from libs.common.events.envelope import Headers
from libs.common.events.messages import Message, Unfit
from libs.common.service import Running, Subscription
from libs.common.telemetry.metrics import exposition

Handler = Callable[[Running, Sequence[Message]], Awaitable[list[Unfit | None]]]


class Kept:
    """A producer that keeps what it is to publish."""

    def __init__(self) -> None:
        self.letters: list[tuple[bytes, dict[str, str]]] = []

    async def publish(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers
    ) -> Awaitable[object]:
        """Keep a letter."""
        self.letters.append((value, {name: (text or b"").decode() for name, text in headers}))
        stored: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        stored.set_result(None)
        return stored


def record(value: bytes) -> ConsumerRecord:
    """A message of the topic."""
    return ConsumerRecord(INGEST.name, 0, 7, 5, 1, b"k", value, None, 1, len(value), (("h", None),))


async def settled(handler: Handler, values: Sequence[bytes], kept: Kept | None = None) -> Kept:
    """What is put aside when a handler is given messages."""

    class Service:
        name = "tracking"

    kept = kept or Kept()
    subscription = Subscription("ingest", (INGEST,), kind="batch", batch=handler)
    lane = Batches(
        cast("Running", Service()),
        subscription,
        Broker("", "", "", "test"),
        cast("Producer", kept),
        Lag("tracking.ingest"),
        0,
    )
    await lane._settle([record(value) for value in values])
    return kept


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between tries."""
    monkeypatch.setattr(batches, "_FIRST_DELAY", 0.0)


async def test_one_that_breaks_its_batch_is_found_and_the_others_are_applied_in_order() -> None:
    applied: list[bytes] = []
    sizes: list[int] = []

    async def handler(_: Running, messages: Sequence[Message]) -> list[Unfit | None]:
        sizes.append(len(messages))
        if any(message.value == b"13" for message in messages):
            raise ZeroDivisionError("thirteen")
        applied.extend(message.value for message in messages)
        return [None] * len(messages)

    values = [str(number).encode() for number in range(32)]
    kept = await settled(handler, values)
    assert applied == [value for value in values if value != b"13"]
    (letter,) = kept.letters
    assert letter[0] == b"13"
    assert letter[1]["maestro_dead_reason"] == "ZeroDivisionError: thirteen"
    assert letter[1]["maestro_dead_from"] == f"{INGEST.name}/0/7"
    assert len(sizes) < 2 * 6 + TRIES


async def test_a_bad_world_is_waited_for_and_blames_nobody() -> None:
    tries = 0

    async def handler(_: Running, messages: Sequence[Message]) -> list[Unfit | None]:
        nonlocal tries
        tries += 1
        if tries <= TRIES * 3:
            raise unavailable("the database is away")
        return [None] * len(messages)

    kept = await settled(handler, [b"1", b"2"])
    assert (kept.letters, tries) == ([], TRIES * 3 + 1)


async def test_unfit_messages_are_kept_with_field_and_reason() -> None:
    async def handler(_: Running, messages: Sequence[Message]) -> list[Unfit | None]:
        unfit = Unfit("run_id", "there is none", (("stamp", b"1"),))
        return [unfit if message.value == b"bad" else None for message in messages]

    kept = await settled(handler, [b"good", b"bad", b"good"])
    told: list[tuple[bytes, dict[str, Any]]] = kept.letters
    assert [value for value, _ in told] == [b"bad"]
    assert (
        told[0][1].items()
        >= {
            "maestro_dead_field": "run_id",
            "maestro_dead_reason": "there is none",
            "stamp": "1",
        }.items()
    )


async def test_letters_of_a_flood_are_sent_together() -> None:
    under_way, most = 0, 0

    class Slow(Kept):
        async def publish(
            self, topic: str, key: bytes | None, value: bytes, headers: Headers
        ) -> Awaitable[object]:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1
            return await super().publish(topic, key, value, headers)

    async def handler(_: Running, messages: Sequence[Message]) -> list[Unfit | None]:
        return [Unfit("body", "nonsense") for _ in messages]

    kept = await settled(handler, [b"bad"] * 50, Slow())
    assert (len(kept.letters), most) == (50, 50)


def test_lanes_are_put_together_in_the_gauges() -> None:
    lag = Lag("a.group")
    lag.tell(0, 3, 1.5)
    lag.tell(1, 4, 0.5)
    text = exposition().decode()
    assert 'maestro_messages_behind{group="a.group"} 7.0' in text
    assert 'maestro_seconds_behind{group="a.group"} 1.5' in text
    lag.tell(0, 0, 0.0)
    assert 'maestro_seconds_behind{group="a.group"} 0.5' in exposition().decode()
