"""A message that the Kafka client cannot even read holds up nobody else's."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiokafka.producer import message_accumulator
from aiokafka.producer import producer as of_producer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from libs.common.contracts.ingest import INGEST
from tests.service.common.letters import Letter, letters
from tests.service.tracking.making import data_of, new_run
from tests.service.tracking.producing import DEAD, SOON, Producing, producing, series
from tests.serving import Client
from tests.waiting import eventually


class Odd(str):
    """A header's name whose bytes are no UTF-8, which clients in other languages can send."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """The bytes."""
        return b"\xff\xfe"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def producer(
    tracking: Client, platform_environment: dict[str, str]
) -> AsyncIterator[Producing]:
    """A producer, while tracking runs."""
    async with producing(platform_environment) as running:
        yield running


async def test_a_header_that_is_no_text(
    client: Client, producer: Producing, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await new_run(client)
    for number in range(3):
        await producer.tell(client, run_id, metrics=[series(f"before {number}", 1)])
    bad = await producer.message(client, run_id, metrics=[series("bad", 1)])
    bad.headers[Odd("odd")] = b"1"
    with monkeypatch.context() as patched:
        # The builder in C takes no such name.
        for module in (message_accumulator, of_producer):
            patched.setattr(module, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
        await producer.send(bad)
    for number in range(3):
        await producer.tell(client, run_id, metrics=[series(f"after {number}", 1)])

    async def all_there() -> bool:
        names = {metric["key"] for metric in (await data_of(client, run_id)).get("metrics", ())}
        return names == {f"{when} {number}" for when in ("before", "after") for number in range(3)}

    await eventually(all_there, within=SOON, pause=0.1)

    async def told() -> list[Letter]:
        found = await letters(producer.env, DEAD)
        return [
            each for each in found if "no UTF-8" in each.headers["maestro_dead_reason"].decode()
        ]

    (letter,) = await eventually(told, within=SOON, pause=0.1)
    assert letter.headers["maestro_dead_from"].startswith(f"{INGEST.name}/".encode())
