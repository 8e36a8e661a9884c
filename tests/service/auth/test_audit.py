"""The audit trail: every fact of every service, once, in its tenant."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest_asyncio

from libs.common.bus.link import Broker, Producer, open_producer
from libs.common.contracts import auth as auth_facts
from libs.common.contracts import registry, tracking
from libs.common.contracts.topic import Topic
from libs.common.events.envelope import headers
from services.auth.consumers import AUDITED
from tests.service.auth.installation import Auth
from tests.waiting import eventually

RUN = tracking.Run(
    run_id="1" * 32,
    workspace_id=1,
    experiment_id="0",
    name="a run",
    status="RUNNING",
    lifecycle_stage="active",
    artifact_uri="mlflow-artifacts:/0/1/artifacts",
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def producer(installation: dict[str, str]) -> AsyncIterator[Producer]:
    """Tracking's way to its topics."""
    broker = Broker(
        installation["MAESTRO_KAFKA_BOOTSTRAP"],
        "tracking",
        installation["TRACKING_KAFKA_PASSWORD"],
        "test",
    )
    async with open_producer(broker) as found:
        yield found


async def tell(
    producer: Producer, tenant_no: int, fact: msgspec.Struct, event_id: UUID | None = None
) -> UUID:
    """Publish a fact of tracking, as its relay does."""
    known, tenant = event_id or uuid4(), str(uuid4())
    sent = headers(
        event_id=known,
        type_name=tracking.RUNS.type_of(type(fact)),
        service="tracking",
        key=RUN.run_id,
        tenant=tenant,
        tenant_no=tenant_no,
        subject="user:somebody",
        version=3,
        time="2026-01-02T03:04:05.678901+00:00",
        traceparent="",
    )

    async def publish() -> bool:
        value = msgspec.json.encode(fact)
        await (await producer.publish(tracking.RUNS.name, b"key", value, sent))
        return True

    await eventually(publish, within=20)
    return known


async def trail(auth: Auth, tenant_no: int) -> list[asyncpg.Record]:
    """A tenant's trail as auth itself reads it."""
    async with auth.running.database.reading(tenant_no) as connection:
        return await connection.fetch("SELECT * FROM audit_events ORDER BY recorded_at")


async def test_what_auth_tells_is_in_the_trail_with_who_did_it(auth: Auth) -> None:
    token_id, secret = await auth.new_token(auth.first_token, name="audited")
    await auth.ask(auth.first_token, "DELETE", f"/api/maestro/v1/tokens/{token_id}")

    async def told() -> list[asyncpg.Record]:
        rows = [row for row in await trail(auth, 1) if row["subject"] == token_id]
        return rows if len(rows) == 2 else []

    issued, revoked = await eventually(told, within=20)
    assert (issued["type"], revoked["type"]) == ("auth.token.issued", "auth.token.revoked")
    assert issued["actor"].startswith("user:")
    assert (issued["version"], revoked["version"]) == (1, 2)
    assert msgspec.json.decode(issued["payload"])["token"]["name"] == "audited"
    assert secret[4:] not in str(issued["payload"])


async def test_a_fact_of_another_service_is_in_the_trail_once(
    auth: Auth, producer: Producer
) -> None:
    twice = await tell(producer, 41, tracking.RunCreated(version=3, run=RUN))
    await tell(producer, 41, tracking.RunCreated(version=3, run=RUN), twice)
    last = await tell(producer, 41, tracking.RunDeleted(version=4, run=RUN))

    async def arrived() -> bool:
        return any(row["event_id"] == last for row in await trail(auth, 41))

    await eventually(arrived, within=20)
    rows = await trail(auth, 41)
    assert [row["event_id"] for row in rows] == [twice, last]
    assert rows[0]["topic"] == "tracking.run.v1"
    assert rows[0]["actor"] == "user:somebody"
    assert rows[0]["happened_at"].isoformat() == "2026-01-02T03:04:05.678901+00:00"
    assert msgspec.json.decode(rows[0]["payload"], type=tracking.RunCreated).run == RUN


async def test_snapshots_tell_nothing_new(auth: Auth, producer: Producer) -> None:
    snapshot = await tell(producer, 42, tracking.RunSnapshot(version=3, run=RUN))
    after = await tell(producer, 42, tracking.RunCreated(version=3, run=RUN))

    async def arrived() -> bool:
        return any(row["event_id"] == after for row in await trail(auth, 42))

    await eventually(arrived, within=20)
    assert snapshot not in [row["event_id"] for row in await trail(auth, 42)]


async def test_a_trail_is_its_tenants_alone_and_cannot_be_changed(
    auth: Auth, producer: Producer
) -> None:
    told = await tell(producer, 43, tracking.RunCreated(version=3, run=RUN))

    async def arrived() -> bool:
        return any(row["event_id"] == told for row in await trail(auth, 43))

    await eventually(arrived, within=20)
    assert told not in [row["event_id"] for row in await trail(auth, 1)]
    connection = await asyncpg.connect(auth.environment["AUTH_DATABASE_URL"])
    try:
        await connection.execute("SELECT set_config('app.tenant', '43', false)")
        for change in (
            "UPDATE auth.audit_events SET actor = 'nobody'",
            "DELETE FROM auth.audit_events",
            "TRUNCATE auth.audit_events",
        ):
            try:
                await connection.execute(change)
            except asyncpg.InsufficientPrivilegeError:
                continue
            raise AssertionError(f"{change} went through")
    finally:
        await connection.close()


def test_every_topic_but_telemetry_is_audited() -> None:
    topics = {
        value.name
        for module in (auth_facts, tracking, registry)
        for value in vars(module).values()
        if isinstance(value, Topic) and not value.telemetry
    }
    assert {topic.name for topic in AUDITED} == topics
