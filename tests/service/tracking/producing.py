"""A producer of events as tests need it: with a pass of a client, and with ways to send nonsense."""

import hashlib
import hmac
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from libs.common.bus.letters import dead_letter_topic
from libs.common.bus.link import Broker
from libs.common.contracts.ingest import INGEST, JSON_TYPE, PACKED_TYPE
from libs.common.events.envelope import Headers
from tests.service.common.letters import Letter, letters
from tests.serving import Client
from tests.waiting import eventually

TYPE = "tracking.ingest.run-logged"
DEAD = dead_letter_topic(INGEST.name, "tracking.ingest")
PASSES = "/api/maestro/v1/ingest/passes"
# A member of the group that another test has ended keeps its partitions for the 15 s of its session.
SOON = 45


@dataclass
class Sending:
    """A message that is about to be sent; a test changes of it what it likes."""

    key: bytes
    body: bytes
    headers: dict[str, bytes]
    secret: bytes

    def sign(self) -> "Sending":
        """Write the signature of what is there now under it."""
        names = ("ce_id", "ce_type", "content-type")
        event_id, kind, form = (self.headers.get(name, b"") for name in names)
        told = b"\n".join((event_id, kind, self.key, form, self.body))
        code = hmac.digest(self.secret, told, hashlib.sha256).hex()
        self.headers["maestro-signature"] = code.encode()
        return self


@dataclass
class Producing:
    """Sends to the topic of ingestion with passes that clients are given."""

    env: Mapping[str, str]
    producer: AIOKafkaProducer
    passes: dict[object, dict[str, Any]] = field(default_factory=dict)

    async def pass_of(self, client: Client) -> dict[str, Any]:
        """A new pass of a client."""
        reply = await client.ask("POST", PASSES)
        assert reply.status == 201, reply.body
        return msgspec.json.decode(reply.body, type=dict[str, Any])

    async def message(
        self,
        client: Client,
        run_id: str,
        *,
        packed: bool = False,
        event_id: str = "",
        given: Mapping[str, Any] | None = None,
        **told: Any,
    ) -> Sending:
        """A signed message about a run, with a pass of the client's or with another one."""
        whose = client.tenant.id, str(client.claims), getattr(client, "subject", "")
        known = given or self.passes.get(whose) or await self.pass_of(client)
        if given is None:
            self.passes[whose] = dict(known)
        body: dict[str, Any] = {"run_id": run_id, **told}
        encode = msgspec.msgpack.encode if packed else msgspec.json.encode
        headers = {
            "ce_specversion": "1.0",
            "ce_id": event_id or str(uuid.uuid4()),
            "ce_source": "/tests",
            "ce_type": TYPE,
            "content-type": PACKED_TYPE if packed else JSON_TYPE,
            "maestro-pass": known["pass"],
        }
        return Sending(
            f"{client.tenant.id}/{run_id}".encode(),
            encode(body),
            {name: value.encode() for name, value in headers.items()},
            known["secret"].encode(),
        ).sign()

    async def send(self, *messages: Sending) -> None:
        """Publish messages, in order; ends when the broker has them all."""
        futures = []
        for each in messages:
            headers: Headers = list(each.headers.items())
            futures.append(
                await self.producer.send(INGEST.name, each.body, key=each.key, headers=headers)
            )
        for future in futures:
            await future

    async def tell(self, client: Client, run_id: str, **told: Any) -> None:
        """Publish one message about a run."""
        await self.send(await self.message(client, run_id, **told))

    async def buried(self, *sent: Sending) -> list[Letter]:
        """The dead letters that became of messages, once they are there."""
        wanted = [each.headers.get("ce_id") for each in sent]

        async def there() -> list[Letter] | None:
            found = {each.headers.get("ce_id"): each for each in await letters(self.env, DEAD)}
            return [found[each] for each in wanted] if set(wanted) <= set(found) else None

        found = await eventually(there, within=SOON, pause=0.1)
        assert found is not None
        return found


@asynccontextmanager
async def producing(env: Mapping[str, str]) -> AsyncIterator[Producing]:
    """A producer on the broker of `env`, logged in as all producers are."""
    broker = Broker(
        env["MAESTRO_KAFKA_BOOTSTRAP"],
        "maestro-producer",
        env["TRACKING_KAFKA_PRODUCER_PASSWORD"],
        "test",
    )

    async def started() -> AIOKafkaProducer | None:
        producer = AIOKafkaProducer(
            **broker.connection(), acks="all", enable_idempotence=True, max_request_size=2_000_000
        )
        try:
            await producer.start()
        except KafkaError:
            # The broker learns of its rules a moment after they are made.
            await producer.stop()
            return None
        return producer

    producer = await eventually(started, within=15, pause=0.2)
    assert producer is not None
    try:
        yield Producing(env, producer)
    finally:
        await producer.stop()


def series(key: str, count: int, *, first: int = 0, **more: Any) -> dict[str, Any]:
    """Points of one metric: the value at each step is the step."""
    steps = list(range(first, first + count))
    times = [1_000 + step for step in steps]
    return {"key": key, "values": [float(s) for s in steps], "times": times, "steps": steps, **more}
