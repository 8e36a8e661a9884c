"""The collector is killed in the middle: it goes on afterwards, and what a version needs is there."""

import json
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import asyncpg
import pytest

from libs.common.principal import PRINCIPAL_HEADER
from tests.faults.conftest import Stage
from tests.serving import new_tenant
from tests.signing import Tenant
from tests.waiting import eventually

RUNS = 5
CONTENT = b"weights that a version needs"
# Of a collection's transactions the first four condemn; then each run is one, then points.
POINTS = (
    ("collector.before-commit", 6),
    ("collector.after-commit", 6),
    ("collector.before-commit", 12),
)
EMPTIED = (
    *("params", "run_tags", "latest_metrics", "inputs", "run_models", "metric_points"),
    *("metric_segments", "artifacts", "leftover_points"),
)


@dataclass
class Caller:
    """Somebody of a tenant who asks tracking."""

    stage: Stage
    tenant: Tenant

    async def ask(self, method: str, path: str, **more: Any) -> bytes:
        """The body of an answer, which must be a success."""
        headers = {PRINCIPAL_HEADER: self.stage.signer.principal(self.tenant, "tracking")}
        timeout = aiohttp.ClientTimeout(total=60)
        async with (
            aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
            session.request(method, self.stage.url + path, **more) as reply,
        ):
            body = await reply.read()
            assert reply.status == 200, body
            return body

    async def post(self, path: str, body: Mapping[str, Any]) -> None:
        """A call of MLflow's API."""
        await self.ask("POST", f"/api/2.0/mlflow/{path}", json=body)

    async def new_run(self) -> str:
        """A run with something of everything."""
        made = await self.ask(
            "POST", "/api/2.0/mlflow/runs/create", json={"experiment_id": "0", "run_name": "r"}
        )
        run_id = str(json.loads(made)["run"]["info"]["run_id"])
        points = [{"key": "m", "value": n, "timestamp": n, "step": n} for n in range(100)]
        params = [{"key": "p", "value": "1"}]
        await self.post("runs/log-batch", {"run_id": run_id, "metrics": points, "params": params})
        await self.ask("PUT", file_of(run_id), data=CONTENT)
        return run_id

    async def collect(self) -> None:
        """Collect all that is deleted; the process may die of it."""
        await self.ask("POST", "/api/maestro/v1/garbage/collect", json={"older_than_days": 0})

    async def collect_for_ever(self) -> None:
        """Where the registry takes its time, the first collection removes nothing yet."""
        while True:
            await self.collect()


def file_of(run_id: str) -> str:
    return f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/model/weights.bin"


@pytest.mark.parametrize(("point", "passing"), POINTS)
async def test_a_killed_collector_goes_on_and_loses_nothing_needed(
    stage: Stage, point: str, passing: int
) -> None:
    caller = Caller(stage, new_tenant())
    started = await stage.nursery.start(stage.environment, f"{point}={passing}")
    try:
        runs = [await caller.new_run() for _ in range(RUNS)]
        needed = runs[2]
        await registered(stage, caller.tenant, needed)
        for run_id in runs:
            await caller.post("runs/delete", {"run_id": run_id})
        with pytest.raises((aiohttp.ClientError, OSError)):
            await caller.collect_for_ever()
        assert await started.exit_code(within=60) == -signal.SIGKILL
    finally:
        await started.end()
    survivor = await stage.nursery.start(stage.environment)
    try:

        async def all_gone() -> bool:
            await caller.collect()
            return await held(stage, caller.tenant, "runs") == 1

        await eventually(all_gone, within=90)
        await caller.collect()
        counted = {table: await held(stage, caller.tenant, table) for table in EMPTIED}
        alone = {"params": 1, "run_tags": 1, "latest_metrics": 1, "metric_segments": 1}
        assert counted == {**dict.fromkeys(EMPTIED, 0), **alone, "artifacts": 1}
        assert await caller.ask("GET", file_of(needed)) == CONTENT
    finally:
        await survivor.end()


async def registered(stage: Stage, tenant: Tenant, run_id: str) -> None:
    """A version of a run in the registry, of which no fact tells."""
    admin = await asyncpg.connect(stage.environment["MAESTRO_POSTGRES_URL"])
    try:
        await admin.execute("SET ROLE registry_owner")
        await admin.fetchval("SELECT set_config('app.tenant', $1, false)", str(tenant.number))
        number = await admin.fetchval(
            "INSERT INTO registry.registered_models (tenant_no, workspace_id, name, created_at,"
            " updated_at, version) VALUES ($1, 1, 'm', 1, 1, 1) RETURNING model_no",
            tenant.number,
        )
        await admin.execute(
            "INSERT INTO registry.model_versions (tenant_no, model_no, number, workspace_id,"
            " source, storage_location, run_id, created_at, updated_at, version)"
            " VALUES ($1, $2, 1, 1, $3, $3, $4, 1, 1, 1)",
            *(tenant.number, number, f"runs:/{run_id}/model", run_id),
        )
    finally:
        await admin.close()


async def held(stage: Stage, tenant: Tenant, table: str) -> int:
    """How many rows of a table of tracking a tenant has."""
    return await counted(stage, tenant, f"SELECT count(*) FROM {table}")


async def counted(stage: Stage, tenant: Tenant, sql: str) -> int:
    """A number that tracking's database gives a tenant."""
    connection = await asyncpg.connect(
        stage.environment["TRACKING_DATABASE_URL"], server_settings={"search_path": "tracking"}
    )
    try:
        async with connection.transaction():
            await connection.execute(
                "SELECT set_config('app.tenant', $1, true)", str(tenant.number)
            )
            count: int = await connection.fetchval(sql)
            return count
    finally:
        await connection.close()
