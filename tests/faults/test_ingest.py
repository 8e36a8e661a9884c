"""What the broker acknowledged of producers' events is stored exactly once, whatever is killed."""

import asyncio
import os
import random
import signal
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import asyncpg
import pytest

from services.tracking.model.passes import Pass, PassSeal
from tests.faults.conftest import Stage
from tests.service.common.letters import letters
from tests.service.tracking.producing import DEAD, Producing, Sending, producing, series
from tests.serving import Client, new_tenant
from tests.signing import Tenant
from tests.waiting import eventually

REPEATS = int(os.environ.get("FAULT_REPEATS", "1"))
POINTS = ("ingest.before-commit", "ingest.after-commit", "consumer.after-effect")
# At which batch a process dies, at most.
LATEST = 6
RUNS = 8
POINTS_A_MESSAGE = 20
AWAY_SECONDS = 2.0
# Between two lots of ten messages: starting processes need the processor too.
PACE_SECONDS = 0.02


@dataclass
class Publisher:
    """Publishes events of runs of one tenant without a pause, and counts what was acknowledged."""

    producer: Producing
    tenant: Tenant
    given: dict[str, str]
    claims: dict[str, str] = field(default_factory=dict)
    runs: list[str] = field(default_factory=lambda: [uuid.uuid4().hex for _ in range(RUNS)])
    acknowledged: int = 0
    ending: bool = False

    async def publish(self) -> None:
        """Go on until told to end."""
        while not self.ending:
            sent = [await self._next(self.acknowledged + each) for each in range(10)]
            await self.producer.send(*sent)
            self.acknowledged += len(sent)
            await asyncio.sleep(PACE_SECONDS)

    async def _next(self, number: int) -> Sending:
        """A message of points that no other has; the first of a run creates it."""
        turn, run = divmod(number, RUNS)
        metrics = [series("m", POINTS_A_MESSAGE, first=turn * POINTS_A_MESSAGE)]
        create = {"experiment_id": "0", "start_time": 1} if turn == 0 else None
        return await self.producer.message(
            cast("Client", self),
            self.runs[run],
            given=self.given,
            metrics=metrics,
            create=create,
            params={f"p{turn % 50}": str(turn % 50)},
        )


@asynccontextmanager
async def publishing(stage: Stage) -> AsyncIterator[Publisher]:
    """A publisher that goes on for as long as the block lasts."""
    tenant, now = new_tenant(), int(time.time())
    granted = Pass(
        tenant=tenant.id,
        tenant_no=tenant.number,
        workspace_id=1,
        subject="tester",
        actor="token-1",
        scopes=("*",),
        epoch=0,
        issued_at=now,
        expires_at=now + 600,
    )
    seal = PassSeal(stage.environment["TRACKING_AUTH_CLIENT_SECRET"])
    text, secret = seal.sealed(granted)
    async with producing(stage.environment) as producer:
        publisher = Publisher(producer, tenant, {"pass": text, "secret": secret})
        task = asyncio.create_task(publisher.publish())
        try:
            yield publisher
        finally:
            publisher.ending = True
            await task


async def stored(stage: Stage, tenant: Tenant) -> tuple[int, int, int]:
    """How many rows of points a tenant has, how many different ones, and how many runs."""
    connection = await asyncpg.connect(
        stage.environment["TRACKING_DATABASE_URL"], server_settings={"search_path": "tracking"}
    )
    try:
        await connection.fetchval("SELECT set_config('app.tenant', $1, false)", str(tenant.number))
        row = await connection.fetchrow(
            "SELECT count(*), count(DISTINCT (p.run_no, p.key_no, p.step)),"
            " (SELECT count(*) FROM runs WHERE tenant_no = $1)"
            " FROM (SELECT run_no, key_no, step FROM metric_points WHERE tenant_no = $1"
            " UNION ALL SELECT s.run_no, s.key_no, step_at(s, place)"
            " FROM metric_segments s CROSS JOIN generate_series(1, s.points) AS place"
            " WHERE s.tenant_no = $1) p",
            tenant.number,
        )
    finally:
        await connection.close()
    return row[0], row[1], row[2]


async def all_stored_once(stage: Stage, publisher: Publisher) -> None:
    """Every acknowledged point becomes one row, and no row comes besides."""
    wanted = publisher.acknowledged * POINTS_A_MESSAGE

    async def there() -> bool:
        return (await stored(stage, publisher.tenant))[0] >= wanted

    await eventually(there, within=60, pause=0.2)
    assert await stored(stage, publisher.tenant) == (wanted, wanted, RUNS)


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_during_ingestion_loses_nothing_and_doubles_nothing(
    point: str, stage: Stage
) -> None:
    chance = random.Random(f"{point} {REPEATS}")
    async with publishing(stage) as publisher:
        for _ in range(REPEATS):
            failpoint = f"{point}={chance.randint(1, LATEST)}"
            started = await stage.nursery.start(stage.environment, failpoint)
            try:
                assert await started.exit_code(within=60) == -signal.SIGKILL
            finally:
                await started.end()
    assert publisher.acknowledged > RUNS
    survivor = await stage.nursery.start(stage.environment)
    try:
        await all_stored_once(stage, publisher)
        survivor.signal(signal.SIGTERM)
        assert await survivor.exit_code() == 0
    finally:
        await survivor.end()


async def test_events_wait_for_the_database_and_none_is_given_up(stage: Stage) -> None:
    postgres = stage.parts.postgres
    assert postgres is not None
    dead_before = len(await letters(stage.environment, DEAD))
    started = await stage.nursery.start(stage.environment)
    try:
        async with publishing(stage) as publisher:

            async def begun() -> bool:
                return (await stored(stage, publisher.tenant))[0] > 0

            await eventually(begun, within=30, pause=0.2)
            await postgres.stop()
            stopped, before = time.monotonic(), publisher.acknowledged
            await eventually(lambda: time.monotonic() - stopped > AWAY_SECONDS, within=10)
            assert publisher.acknowledged > before
            await postgres.start()
            back = publisher.acknowledged
            await eventually(lambda: publisher.acknowledged > back + 100, within=30)
        await all_stored_once(stage, publisher)
        assert len(await letters(stage.environment, DEAD)) == dead_before
    finally:
        await started.end()
