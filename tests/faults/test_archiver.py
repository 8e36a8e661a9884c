"""The archiver is killed in the middle, and a read that brings points back: none is lost or doubled."""

import json
import signal

import aiohttp
import asyncpg
import pytest

from tests.faults.conftest import Stage
from tests.faults.test_collector import Caller, counted, held
from tests.faults.test_packer import known
from tests.serving import new_tenant
from tests.waiting import eventually

OLD = "01800000000070008000000000000000"
POINTS = 500


async def test_a_killed_archiver_and_a_killed_reader_lose_and_double_nothing(stage: Stage) -> None:
    caller = Caller(stage, new_tenant())
    await known(stage, caller)
    idle = {**stage.environment, "TRACKING_ARCHIVE_DAYS": "1", "TRACKING_ARCHIVE_POINTS": "200"}
    at_work = {**idle, "TRACKING_ARCHIVE_SECONDS": "0.2"}
    started = await stage.nursery.start(idle)
    try:
        run_id = await caller.new_run()
        points = [{"key": "long", "value": n / 3, "timestamp": n, "step": n} for n in range(POINTS)]
        await caller.post("runs/log-batch", {"run_id": run_id, "metrics": points})
        await caller.post("runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": 1})
        await aged(stage, caller, run_id)
    finally:
        await started.end()
    for point in ("archive.after-upload", "archive.before-commit"):
        killed = await stage.nursery.start(at_work, point)
        try:
            assert await killed.exit_code(within=60) == -signal.SIGKILL
        finally:
            await killed.end()
        assert await held(stage, caller.tenant, "archived_points") == 0
        # A day later the sweep would take what was uploaded.
        loose = "SELECT count(*) FROM loose_objects WHERE NOT leaves"
        assert await counted(stage, caller.tenant, loose) > 0
    reader = await stage.nursery.start(at_work, "thaw.before-commit")
    try:

        async def archived() -> bool:
            return await held(stage, caller.tenant, "archived_points") == 1

        await eventually(archived, within=60)
        assert await held(stage, caller.tenant, "metric_segments") == 0
        with pytest.raises((aiohttp.ClientError, OSError)):
            await history(caller)
        assert await reader.exit_code(within=60) == -signal.SIGKILL
    finally:
        await reader.end()
    assert await held(stage, caller.tenant, "metric_segments") == 0
    survivor = await stage.nursery.start(idle)
    try:
        assert await history(caller) == [(n / 3, n, n) for n in range(POINTS)]
    finally:
        await survivor.end()


async def history(caller: Caller) -> list[tuple[float, int, int]]:
    path = f"/api/2.0/mlflow/metrics/get-history?run_id={OLD}&metric_key=long"
    found = json.loads(await caller.ask("GET", path))["metrics"]
    return [(point["value"], point["timestamp"], point["step"]) for point in found]


async def aged(stage: Stage, caller: Caller, run_id: str) -> None:
    """Let a run have been made years ago."""
    admin = await asyncpg.connect(stage.environment["MAESTRO_POSTGRES_URL"])
    try:
        await admin.execute("SET ROLE tracking_owner")
        number = caller.tenant.number
        await admin.fetchval("SELECT set_config('app.tenant', $1, false)", str(number))
        changed = await admin.execute(
            "UPDATE tracking.runs SET run_id = $2::uuid WHERE run_id = $1::uuid", run_id, OLD
        )
        assert changed == "UPDATE 1"
    finally:
        await admin.close()
