"""The read models of runs and logged models: kept by facts, in any order, and built anew."""

import uuid
from typing import Any

import msgspec
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
from libs.common.events.envelope import headers, open_event
from libs.common.events.outbox import Caused, UnitOfWork
from services.registry.consumers import RUNS as HEARD
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


async def test_facts_of_one_run_that_come_together_leave_its_last_state(registry: Registry) -> None:
    tenant = registry.tenant
    kept, other = registry.tracking.run(tenant), registry.tracking.run(tenant)
    told: list[tuple[Any, int]] = [
        (RunCreated(version=1, run=kept), 1),
        (RunDeleted(version=3, run=replace(kept, lifecycle_stage="deleted")), 3),
        (RunChanged(version=2, run=kept), 2),
        (RunCreated(version=1, run=other), 1),
    ]
    events = [
        open_event(
            RUNS,
            headers(
                event_id=uuid.uuid4(),
                type_name=RUNS.type_of(type(fact)),
                service="tracking",
                key=fact.run.run_id,
                tenant=tenant.id,
                tenant_no=tenant.number,
                subject="test",
                version=version,
                time="2026-01-01T00:00:00+00:00",
                traceparent="",
            ),
            msgspec.json.encode(fact),
        )
        for fact, version in told
    ]
    handler = HEARD.handler_of(RunCreated)
    async with registry.running.database.transaction(tenant.number) as connection:
        work = UnitOfWork(connection, Caused(tenant.id, tenant.number, "test"))
        await handler.apply(work, events)
    assert sorted(await rows(registry)) == sorted(
        [
            ("run", kept.run_id, kept.artifact_uri, "deleted", 3),
            ("run", other.run_id, other.artifact_uri, "active", 1),
        ]
    )
