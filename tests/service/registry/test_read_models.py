"""The read models of runs and logged models: kept by facts, in any order, and built anew."""

from typing import Any

from msgspec.structs import replace

from libs.common.contracts.tracking import (
    LOGGED_MODELS,
    RUNS,
    LoggedModelChanged,
    LoggedModelCreated,
    LoggedModelDeleted,
    LoggedModelSnapshot,
    RunChanged,
    RunCreated,
    RunDeleted,
    RunDetailsLogged,
    RunSnapshot,
)
from tests.service.registry.conftest import Registry
from tests.waiting import eventually

_ROWS = """
SELECT 'run' AS kind, run_id AS id, artifact_uri, lifecycle_stage, version FROM known_runs
UNION ALL
SELECT 'model', model_id, artifact_uri, lifecycle_stage, version FROM known_models
ORDER BY 1, 2
"""


async def rows(registry: Registry) -> list[tuple[Any, ...]]:
    """What is known of this tenant's runs and models."""
    async with registry.running.database.reading(registry.tenant.number) as connection:
        return [tuple(row) for row in await connection.fetch(_ROWS)]


async def test_the_newest_state_stays_and_snapshots_bring_it_back(registry: Registry) -> None:
    """Late and doubled facts change nothing; an emptied read model is as it was."""
    tracking, tenant = registry.tracking, registry.tenant
    run, deleted_run = tracking.run(tenant), tracking.run(tenant)
    model, deleted_model = tracking.logged_model(tenant), tracking.logged_model(tenant)
    gone = replace(deleted_run, lifecycle_stage="deleted")
    hidden = replace(deleted_model, lifecycle_stage="deleted")
    for fact in (
        RunCreated(version=1, run=run),
        RunDetailsLogged(run_id=run.run_id, params={"a": "1"}),
        RunChanged(version=3, run=run),
        RunChanged(version=2, run=run),
        RunDeleted(version=2, run=gone),
        RunCreated(version=1, run=deleted_run),
    ):
        await tracking.tell(tenant, RUNS, fact)
    for model_fact in (
        LoggedModelCreated(version=1, model=model),
        LoggedModelChanged(version=2, model=model),
        LoggedModelChanged(version=2, model=model),
        LoggedModelDeleted(version=2, model=deleted_model),
        LoggedModelCreated(version=1, model=deleted_model),
    ):
        await tracking.tell(tenant, LOGGED_MODELS, model_fact)
    expected = sorted(
        [
            ("run", run.run_id, run.artifact_uri, "active", 3),
            ("run", gone.run_id, gone.artifact_uri, "deleted", 2),
            ("model", model.model_id, model.artifact_uri, "active", 2),
            ("model", deleted_model.model_id, deleted_model.artifact_uri, "deleted", 2),
        ]
    )

    async def as_expected() -> bool:
        return sorted(await rows(registry)) == expected

    await eventually(as_expected, within=20)
    async with registry.running.database.transaction(tenant.number) as connection:
        await connection.execute("DELETE FROM known_runs WHERE tenant_no = $1", tenant.number)
        await connection.execute("DELETE FROM known_models WHERE tenant_no = $1", tenant.number)
    await tracking.tell(tenant, RUNS, RunSnapshot(version=3, run=run))
    await tracking.tell(tenant, RUNS, RunSnapshot(version=2, run=gone))
    await tracking.tell(tenant, LOGGED_MODELS, LoggedModelSnapshot(version=2, model=model))
    await tracking.tell(tenant, LOGGED_MODELS, LoggedModelSnapshot(version=2, model=hidden))
    await eventually(as_expected, within=20)
