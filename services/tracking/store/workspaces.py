"""Moves what a deleted workspace holds to the default one, a page at a time; the caller commits."""

from typing import Final

from libs.common.database import Connection
from libs.common.workspaces import DEFAULT_ID
from services.tracking.model.experiments import Experiment
from services.tracking.model.logged_models import LoggedModel
from services.tracking.model.runs import Run
from services.tracking.store.experiments import experiment_of
from services.tracking.store.logged_models import model_of
from services.tracking.store.runs import run_of

PAGE: Final = 500
# What another process moves just now is not there any more once its lock is given up.
_MOVE_RUNS: Final = """
WITH page AS (
    SELECT run_no FROM runs
    WHERE tenant_no = $1 AND workspace_id = $2 AND workspace_id <> 1
    ORDER BY run_no LIMIT $4
    FOR NO KEY UPDATE
)
UPDATE runs AS r SET workspace_id = $3, version = r.version + 1
FROM page WHERE r.tenant_no = $1 AND r.run_no = page.run_no
RETURNING r.*
"""
_MOVE_MODELS: Final = """
WITH page AS (
    SELECT model_id FROM logged_models
    WHERE tenant_no = $1 AND workspace_id = $2 AND workspace_id <> 1
    ORDER BY model_id LIMIT $4
    FOR NO KEY UPDATE
)
UPDATE logged_models AS m SET workspace_id = $3, version = m.version + 1
FROM page WHERE m.tenant_no = $1 AND m.model_id = page.model_id
RETURNING m.*
"""
_NEXT: Final = """
SELECT * FROM experiments
WHERE tenant_no = $1 AND workspace_id = $2 AND ($3 OR lifecycle_stage = 'active')
ORDER BY creation_time DESC, experiment_id LIMIT 1
FOR NO KEY UPDATE
"""
_IS_TAKEN: Final = """
SELECT EXISTS (SELECT FROM experiments WHERE tenant_no = $1 AND workspace_id = $2 AND name = $3)
"""
_MOVE: Final = """
UPDATE experiments SET workspace_id = $3, name = $4, version = $5
WHERE tenant_no = $1 AND experiment_id = $2
"""


async def move_runs(connection: Connection, tenant_no: int, workspace_id: int) -> list[Run]:
    """A page of runs, as they are in the default workspace; none when no more are left."""
    rows = await connection.fetch(_MOVE_RUNS, tenant_no, workspace_id, DEFAULT_ID, PAGE)
    return [run_of(row) for row in rows]


async def move_models(
    connection: Connection, tenant_no: int, workspace_id: int
) -> list[LoggedModel]:
    """A page of logged models, as they are in the default workspace."""
    rows = await connection.fetch(_MOVE_MODELS, tenant_no, workspace_id, DEFAULT_ID, PAGE)
    return [model_of(row) for row in rows]


async def next_experiment(
    connection: Connection, tenant_no: int, workspace_id: int, *, also_deleted: bool
) -> Experiment | None:
    """Any experiment of a workspace, locked; None when no more are left."""
    row = await connection.fetchrow(_NEXT, tenant_no, workspace_id, also_deleted)
    return None if row is None else experiment_of(row)


async def is_taken(connection: Connection, tenant_no: int, name: str) -> bool:
    """Whether an experiment of the default workspace has a name."""
    return bool(await connection.fetchval(_IS_TAKEN, tenant_no, DEFAULT_ID, name))


async def save_moved(connection: Connection, tenant_no: int, experiment: Experiment) -> None:
    """The experiment's workspace, name and version."""
    await connection.execute(
        _MOVE,
        *(tenant_no, experiment.experiment_id, experiment.workspace_id, experiment.name),
        experiment.version,
    )
