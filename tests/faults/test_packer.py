"""The packer is killed in the middle: no point is lost, and none is there twice."""

import signal

import asyncpg

from tests.faults.conftest import Stage
from tests.faults.test_collector import Caller, counted, held
from tests.serving import new_tenant
from tests.waiting import eventually

KEYS = 40
# Too few of a metric at once for a segment, enough together.
BATCHES, EACH = 3, 7


async def test_a_killed_packer_loses_and_doubles_nothing(stage: Stage) -> None:
    caller = Caller(stage, new_tenant())
    await known(stage, caller)
    environment = {**stage.environment, "TRACKING_PACK_SECONDS": "86400"}
    started = await stage.nursery.start(environment)
    try:
        run_id = await caller.new_run()
        for batch in range(BATCHES):
            points = [
                {"key": f"k{key}", "value": n / 3, "timestamp": n, "step": batch * EACH + n}
                for key in range(KEYS)
                for n in range(EACH)
            ]
            await caller.post("runs/log-batch", {"run_id": run_id, "metrics": points})
        await caller.post("runs/update", {"run_id": run_id, "status": "FINISHED"})
    finally:
        await started.end()
    logged = KEYS * BATCHES * EACH
    assert await held(stage, caller.tenant, "metric_points") == logged
    environment["TRACKING_PACK_SECONDS"] = "0.2"
    killed = await stage.nursery.start(environment, "packer.before-commit=9")
    try:
        assert await killed.exit_code(within=60) == -signal.SIGKILL
    finally:
        await killed.end()
    apart = await held(stage, caller.tenant, "metric_points")
    assert 0 < apart < logged
    # The 100 of one metric that every run of these tests logs came packed.
    assert apart + await packed(stage, caller) == logged + 100
    survivor = await stage.nursery.start(environment)
    try:

        async def all_packed() -> bool:
            return await held(stage, caller.tenant, "metric_points") == 0

        await eventually(all_packed, within=60)
        assert await packed(stage, caller) == logged + 100
    finally:
        await survivor.end()


async def known(stage: Stage, caller: Caller) -> None:
    """Let tracking have heard of the tenant."""
    admin = await asyncpg.connect(stage.environment["MAESTRO_POSTGRES_URL"])
    try:
        await admin.execute("SET ROLE tracking_owner")
        await admin.execute(
            "INSERT INTO tracking.known_tenants (tenant_no, tenant, name, status, version)"
            " VALUES ($1, $2, 'packed', 'active', 1)",
            *(caller.tenant.number, caller.tenant.id),
        )
    finally:
        await admin.close()


async def packed(stage: Stage, caller: Caller) -> int:
    """How many points the tenant's segments hold."""
    sql = "SELECT coalesce(sum(points), 0)::int8 FROM metric_segments"
    return await counted(stage, caller.tenant, sql)
