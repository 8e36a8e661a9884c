"""Events in: tracking's runs and logged models become the registry's read models of them.

A fact carries the state and its version, and an older one changes nothing: late, doubled and
redriven facts do no harm, and snapshots rebuild what was lost. Of what tracking is about to remove, the registry tells
whether a version needs it.
"""

from collections.abc import Sequence
from typing import Final

from libs.common.contracts import tracking
from libs.common.contracts.registry import SourceKept, SourceReleased
from libs.common.events.envelope import Event
from libs.common.events.outbox import UnitOfWork
from libs.common.service import Subscription, Together
from services.registry.arrivals import ARRIVALS
from services.registry.store import condemned

_RUN: Final = """
INSERT INTO known_runs AS k (tenant_no, run_id, workspace_id, experiment_id, artifact_uri,
                             lifecycle_stage, version)
SELECT DISTINCT ON (u.run_id) $1, u.*
FROM unnest($2::text[], $3::int4[], $4::text[], $5::text[], $6::text[], $7::int8[])
     AS u (run_id, workspace_id, experiment_id, artifact_uri, lifecycle_stage, version)
ORDER BY u.run_id, u.version DESC
ON CONFLICT (tenant_no, run_id) DO UPDATE
SET workspace_id = excluded.workspace_id, experiment_id = excluded.experiment_id,
    artifact_uri = excluded.artifact_uri, lifecycle_stage = excluded.lifecycle_stage,
    version = excluded.version
WHERE k.version < excluded.version
RETURNING run_id
"""
_MODEL: Final = """
INSERT INTO known_models AS k (tenant_no, model_id, workspace_id, experiment_id, name,
                               artifact_uri, status, source_run_id, lifecycle_stage, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (tenant_no, model_id) DO UPDATE
SET workspace_id = excluded.workspace_id, experiment_id = excluded.experiment_id,
    name = excluded.name, artifact_uri = excluded.artifact_uri, status = excluded.status,
    source_run_id = excluded.source_run_id, lifecycle_stage = excluded.lifecycle_stage,
    version = excluded.version
WHERE k.version < excluded.version
RETURNING true
"""
_FORGET_RUN: Final = "DELETE FROM known_runs WHERE tenant_no = $1 AND run_id = $2"
_FORGET_MODEL: Final = "DELETE FROM known_models WHERE tenant_no = $1 AND model_id = $2"
_DELETED: Final = "deleted"


async def on_runs(work: UnitOfWork, events: Sequence[Event]) -> None:
    """Runs as they stand now."""
    await _learn_runs(work, events)


async def _learn_runs(work: UnitOfWork, events: Sequence[Event]) -> set[str]:
    """Keep the state of runs of one tenant; those of which more was learnt than was known."""
    runs: list[tracking.Run] = [event.fact.run for event in events]
    tenant_no = events[0].tenant_no
    learnt = await work.connection.fetch(
        _RUN,
        tenant_no,
        [run.run_id for run in runs],
        [run.workspace_id for run in runs],
        [run.experiment_id for run in runs],
        [run.artifact_uri for run in runs],
        [run.lifecycle_stage for run in runs],
        [event.version for event in events],
    )
    for run in runs:
        ARRIVALS.heard(tenant_no, run.run_id)
    return {row["run_id"] for row in learnt}


async def on_logged_model(work: UnitOfWork, event: Event) -> None:
    """A logged model as it stands now; a deleted one is kept as such, against late facts.

    With its experiment an active one may have been condemned, which a change of it makes void.
    """
    await _learn_model(work, event)
    model: tracking.LoggedModel = event.fact.model
    if model.lifecycle_stage == "active":
        await condemned.lift(work.connection, event.tenant_no, model.model_id, event.version)


async def _learn_model(work: UnitOfWork, event: Event) -> bool:
    """Keep a logged model's state; False for one that is older than what is known."""
    model: tracking.LoggedModel = event.fact.model
    deleted = isinstance(event.fact, tracking.LoggedModelDeleted)
    learnt = await work.connection.fetchval(
        _MODEL,
        event.tenant_no,
        model.model_id,
        model.workspace_id,
        model.experiment_id,
        model.name,
        model.artifact_uri,
        model.status,
        model.source_run_id,
        _DELETED if deleted else model.lifecycle_stage,
        event.version,
    )
    ARRIVALS.heard(event.tenant_no, model.model_id)
    return bool(learnt)


async def on_run_restored(work: UnitOfWork, event: Event) -> None:
    """A run that is active again may have versions again."""
    await on_runs(work, [event])
    run: tracking.Run = event.fact.run
    await condemned.lift(work.connection, event.tenant_no, run.run_id, event.version)


async def on_run_condemned(work: UnitOfWork, event: Event) -> None:
    """A run is about to be removed."""
    if await _learn_runs(work, [event]):
        await _answer(work, event, event.fact.run.run_id, [])


async def on_run_removed(work: UnitOfWork, event: Event) -> None:
    """A run is gone: it stays condemned, and nothing else is known of it."""
    await work.connection.execute(_FORGET_RUN, event.tenant_no, event.fact.run.run_id)


async def on_model_condemned(work: UnitOfWork, event: Event) -> None:
    """A logged model is about to be removed."""
    fact: tracking.LoggedModelCondemned = event.fact
    if await _learn_model(work, event):
        await _answer(work, event, fact.model.model_id, fact.runs)


async def on_model_removed(work: UnitOfWork, event: Event) -> None:
    """A logged model is gone."""
    await work.connection.execute(_FORGET_MODEL, event.tenant_no, event.fact.model.model_id)


async def _answer(work: UnitOfWork, event: Event, source: str, runs: list[str]) -> None:
    """Tell whether a condemned source is needed; where it is not, it never will be."""
    tenant_no = event.tenant_no
    await condemned.lock_sources(work.connection, tenant_no, [source, *runs])
    if await condemned.is_needed(work.connection, tenant_no, source, runs):
        work.record(SourceKept(version=event.version, source=source))
        return
    await condemned.condemn(work.connection, tenant_no, source, event.version)
    work.record(SourceReleased(version=event.version, source=source))


RUNS: Final = Subscription(
    name="runs",
    topics=(tracking.RUNS,),
    handlers={
        tracking.RunCreated: Together(on_runs),
        tracking.RunChanged: Together(on_runs),
        tracking.RunDeleted: Together(on_runs),
        tracking.RunRestored: on_run_restored,
        tracking.RunCondemned: on_run_condemned,
        tracking.RunRemoved: on_run_removed,
        tracking.RunSnapshot: Together(on_runs),
    },
)
LOGGED_MODELS: Final = Subscription(
    name="logged-models",
    topics=(tracking.LOGGED_MODELS,),
    handlers={
        tracking.LoggedModelCreated: on_logged_model,
        tracking.LoggedModelChanged: on_logged_model,
        tracking.LoggedModelDeleted: on_logged_model,
        tracking.LoggedModelCondemned: on_model_condemned,
        tracking.LoggedModelRemoved: on_model_removed,
        tracking.LoggedModelSnapshot: on_logged_model,
    },
)
