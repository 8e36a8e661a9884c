"""Events in: tracking's runs and logged models become the registry's read models of them.

A fact carries the state and its version, and an older one changes nothing: late, doubled and
redriven facts do no harm, and snapshots rebuild what was lost.
"""

from typing import Final

from libs.common.contracts import tracking
from libs.common.events.envelope import Event
from libs.common.events.outbox import UnitOfWork
from libs.common.service import Subscription
from services.registry.arrivals import ARRIVALS

_RUN: Final = """
INSERT INTO known_runs AS k (tenant_no, run_id, workspace_id, experiment_id, artifact_uri,
                             lifecycle_stage, version)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (tenant_no, run_id) DO UPDATE
SET workspace_id = excluded.workspace_id, experiment_id = excluded.experiment_id,
    artifact_uri = excluded.artifact_uri, lifecycle_stage = excluded.lifecycle_stage,
    version = excluded.version
WHERE k.version < excluded.version
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
"""
_DELETED: Final = "deleted"


async def on_run(work: UnitOfWork, event: Event) -> None:
    """A run as it stands now."""
    run: tracking.Run = event.fact.run
    await work.connection.execute(
        _RUN,
        event.tenant_no,
        run.run_id,
        run.workspace_id,
        run.experiment_id,
        run.artifact_uri,
        run.lifecycle_stage,
        event.version,
    )
    ARRIVALS.heard(event.tenant_no, run.run_id)


async def on_logged_model(work: UnitOfWork, event: Event) -> None:
    """A logged model as it stands now; a deleted one is kept as such, against late facts."""
    model: tracking.LoggedModel = event.fact.model
    deleted = isinstance(event.fact, tracking.LoggedModelDeleted)
    await work.connection.execute(
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


RUNS: Final = Subscription(
    name="runs",
    topics=(tracking.RUNS,),
    handlers={
        tracking.RunCreated: on_run,
        tracking.RunChanged: on_run,
        tracking.RunDeleted: on_run,
        tracking.RunRestored: on_run,
        tracking.RunSnapshot: on_run,
    },
)
LOGGED_MODELS: Final = Subscription(
    name="logged-models",
    topics=(tracking.LOGGED_MODELS,),
    handlers={
        tracking.LoggedModelCreated: on_logged_model,
        tracking.LoggedModelChanged: on_logged_model,
        tracking.LoggedModelDeleted: on_logged_model,
        tracking.LoggedModelSnapshot: on_logged_model,
    },
)
