"""Rules of retention, and what they put aside by themselves; the caller commits."""

from typing import Final

from libs.common.database import Connection
from services.tracking.model.retention import Retention, Scope
from services.tracking.model.runs import Run
from services.tracking.store.runs import run_of

PAGE: Final = 200
_SET: Final = """
INSERT INTO experiment_retention (tenant_no, experiment_id, deleted_days, finished_days,
                                  archive_days)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_no, experiment_id) DO UPDATE
SET deleted_days = excluded.deleted_days, finished_days = excluded.finished_days,
    archive_days = excluded.archive_days
"""
_CLEAR: Final = "DELETE FROM experiment_retention WHERE tenant_no = $1 AND experiment_id = $2"
# What was to be removed by the former rule is weighed anew by the next.
_SPARE_RUNS: Final = """
DELETE FROM condemned c USING runs r
WHERE r.tenant_no = $1 AND r.experiment_id = $2 AND r.lifecycle_stage = 'deleted'
  AND c.tenant_no = r.tenant_no AND c.id = r.run_id
"""
_SPARE_MODELS: Final = """
DELETE FROM condemned c USING logged_models m
WHERE m.tenant_no = $1 AND m.experiment_id = $2
  AND c.tenant_no = m.tenant_no AND c.id = m.model_id
"""
# The end is the client's word: one in the past does not count before the run's own beginning,
# and one that was brought back is kept for as long again.
_FINISHED: Final = """
WITH page AS (
    SELECT r.run_no FROM experiment_retention e
    JOIN runs r ON r.tenant_no = e.tenant_no AND r.experiment_id = e.experiment_id
    WHERE e.tenant_no = $1 AND ($2::int4 IS NULL OR r.workspace_id = $2)
      AND r.lifecycle_stage = 'active' AND r.status IN ('FINISHED', 'FAILED', 'KILLED')
      AND greatest(r.end_time, made_at(r.run_id), r.restored_time)
          <= due_before(e.finished_days, NULL, NULL)
      AND NOT EXISTS (SELECT FROM model_versions v WHERE v.tenant_no = r.tenant_no
                      AND v.run_id = r.run_id AND NOT v.gone)
    LIMIT $3 FOR NO KEY UPDATE OF r SKIP LOCKED
)
UPDATE runs AS r SET lifecycle_stage = 'deleted', version = r.version + 1,
       deleted_time = (extract(epoch FROM now()) * 1000)::int8
FROM page WHERE r.tenant_no = $1 AND r.run_no = page.run_no
RETURNING r.*
"""


async def keep(connection: Connection, tenant_no: int, experiment_id: int, rule: Retention) -> None:
    """Give an experiment a rule of its own."""
    days = (rule.deleted_days, rule.finished_days, rule.archive_days)
    await connection.execute(_SET, tenant_no, experiment_id, *days)
    await _spare(connection, tenant_no, experiment_id)


async def clear(connection: Connection, tenant_no: int, experiment_id: int) -> None:
    """Let an experiment go by the platform's rule."""
    await connection.execute(_CLEAR, tenant_no, experiment_id)
    await _spare(connection, tenant_no, experiment_id)


async def put_finished_aside(connection: Connection, scope: Scope) -> list[Run]:
    """A page of finished runs past their time, now put aside."""
    rows = await connection.fetch(_FINISHED, scope.tenant_no, scope.workspace_id, PAGE)
    return [run_of(row) for row in rows]


async def _spare(connection: Connection, tenant_no: int, experiment_id: int) -> None:
    await connection.execute(_SPARE_RUNS, tenant_no, experiment_id)
    await connection.execute(_SPARE_MODELS, tenant_no, experiment_id)
