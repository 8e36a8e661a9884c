"""A process killed at any point loses nothing that was acknowledged and repeats no effect."""

import os
import random
import signal
import time
from collections.abc import Mapping
from dataclasses import replace

import asyncpg
import pytest

from libs.common.events.republish import republish
from libs.common.runner import running
from services import service
from tests.faults.conftest import Stage
from tests.faults.evidence import Evidence, gathered, settled
from tests.faults.kills import MEANING, Kills
from tests.faults.writers import Oracle, Writers, writing
from tests.signing import Tenant
from tests.waiting import eventually

REPEATS = int(os.environ.get("FAULT_REPEATS", "3"))
# How many tenants the clients are of, in equal parts.
TENANTS = 4
# At which passing of its point a process dies, at most: flushes pass often, batches seldom.
LATEST = {"write": 120, "relay": 30, "consumer": 25}


@pytest.mark.parametrize("point", MEANING)
async def test_a_kill_loses_nothing_and_repeats_nothing(
    point: str, stage: Stage, kills: list[Kills]
) -> None:
    oracles, chance = [Oracle() for _ in range(TENANTS)], random.Random(f"{point} {REPEATS}")
    async with writing(stage.url, stage.signer, *oracles) as writers:
        for _ in range(REPEATS):
            passing = chance.randint(1, LATEST[point.partition(".")[0]])
            await one_kill(stage, writers, f"{point}={passing}")
    begun = time.monotonic()
    survivor = await stage.nursery.start(stage.environment)
    try:
        found = [await settled(stage.environment, each.tenant, within=60) for each in oracles]
        kills.append(counted(point, oracles, found, time.monotonic() - begun))
        for oracle, evidence in zip(oracles, found, strict=True):
            assert oracle.acknowledged > 0
            assert oracle.unexpected == []
            assert (evidence.lost(oracle), evidence.doubled()) == ([], [])
            assert (evidence.out_of_order(), evidence.unexplained(oracle)) == ([], 0)
        await rebuilt(stage, oracles[0].tenant, found[0])
        survivor.signal(signal.SIGTERM)
        assert await survivor.exit_code() == 0
    finally:
        await survivor.end()


def counted(point: str, oracles: list[Oracle], found: list[Evidence], seconds: float) -> Kills:
    """The row of the kill table: all tenants together."""
    return Kills(
        point,
        REPEATS,
        acknowledged=sum(oracle.acknowledged for oracle in oracles),
        lost=sum(len(e.lost(oracle)) for oracle, e in zip(oracles, found, strict=True)),
        doubled=sum(len(evidence.doubled()) for evidence in found),
        seconds=seconds,
    )


async def one_kill(stage: Stage, writers: Writers, failpoint: str) -> None:
    """Start the services with one failpoint armed and let clients write until it is reached."""
    started = await stage.nursery.start(stage.environment, failpoint)
    writers.open.set()
    try:
        assert await started.exit_code(within=90) == -signal.SIGKILL
    finally:
        writers.open.clear()
        await started.end()


async def rebuilt(stage: Stage, tenant: Tenant, live: Evidence) -> None:
    """Empty the registry's read model, have tracking tell all again, and compare."""
    env = stage.environment
    await know(env, tenant)
    admin = await asyncpg.connect(env["MAESTRO_POSTGRES_URL"])
    try:
        await admin.execute("SET ROLE registry_owner")
        await admin.fetchval("SELECT set_config('app.tenant', $1, false)", str(tenant.number))
        await admin.execute("DELETE FROM registry.known_runs")
    finally:
        await admin.close()
    assert (await gathered(env, tenant)).known_runs == {}
    teller = replace(
        service("tracking"), subscriptions=(), workers=(), settings=None, opens=None, outdates=None
    )
    async with running(teller, {**env, "MAESTRO_INSTANCE": "teller"}, {}) as (value, _):
        await republish(value)

    async def again() -> bool:
        return (await gathered(env, tenant)).known_runs == live.known_runs

    await eventually(again, within=30, pause=0.1)


async def know(env: Mapping[str, str], tenant: Tenant) -> None:
    """Let tracking know the tenant, and no other: as auth's facts would."""
    connection = await asyncpg.connect(
        env["TRACKING_DATABASE_URL"], server_settings={"search_path": "tracking"}
    )
    try:
        await connection.execute(
            "INSERT INTO known_tenants (tenant_no, tenant, name, status, version)"
            " VALUES ($1, $2::uuid, 'test', 'active', 1)",
            tenant.number,
            tenant.id,
        )
    finally:
        await connection.close()
