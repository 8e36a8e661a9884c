"""What is past its time: runs and logged models of which the registry is asked; the caller commits."""

from typing import Final
from uuid import UUID

from libs.common.database import Connection
from services.tracking.model.logged_models import LoggedModel, model_uuid
from services.tracking.model.retention import Scope
from services.tracking.model.runs import Run
from services.tracking.store.logged_models import model_of
from services.tracking.store.runs import run_of

PAGE: Final = 200
_RUNS: Final = """
WITH due AS (
    SELECT r.run_no FROM runs r
    LEFT JOIN experiment_retention e ON e.tenant_no = r.tenant_no
         AND e.experiment_id = r.experiment_id
    LEFT JOIN condemned c ON c.tenant_no = r.tenant_no AND c.id = r.run_id
    WHERE r.tenant_no = $1 AND r.lifecycle_stage = 'deleted'
      AND ($2::int4 IS NULL OR r.workspace_id = $2)
      AND r.deleted_time <= due_before($3, e.deleted_days, $4)
      AND (c.id IS NULL OR c.version <> r.version
           OR (c.state <> 'released' AND c.asked_at < now() - make_interval(secs => $5)))
      AND NOT EXISTS (SELECT FROM model_versions v WHERE v.tenant_no = r.tenant_no
                      AND v.run_id = r.run_id AND NOT v.gone)
    ORDER BY r.deleted_time LIMIT $6 FOR NO KEY UPDATE OF r SKIP LOCKED
), asked AS (
    UPDATE runs AS r SET version = r.version + 1 FROM due
    WHERE r.tenant_no = $1 AND r.run_no = due.run_no
    RETURNING r.*
), noted AS (
    INSERT INTO condemned (tenant_no, id, kind, version)
    SELECT a.tenant_no, a.run_id, 'run', a.version FROM asked a
    ON CONFLICT (tenant_no, id) DO UPDATE
    SET version = excluded.version, state = 'asked', asked_at = now()
)
SELECT * FROM asked
"""
# With a deleted experiment go its models as they are, active ones too: where it is restored they need
# not be. It is locked, so that a restore sees which of them were condemned before it.
_MODELS: Final = """
WITH due AS (
    SELECT m.model_id FROM logged_models m
    JOIN experiments x ON x.tenant_no = m.tenant_no AND x.experiment_id = m.experiment_id
    LEFT JOIN experiment_retention e ON e.tenant_no = m.tenant_no
         AND e.experiment_id = m.experiment_id
    LEFT JOIN condemned c ON c.tenant_no = m.tenant_no AND c.id = m.model_id
    WHERE m.tenant_no = $1 AND m.model_id IN (
            SELECT d.model_id FROM logged_models d
            WHERE d.tenant_no = $1 AND d.lifecycle_stage = 'deleted'
            UNION ALL
            SELECT l.model_id FROM experiments y
            JOIN logged_models l ON l.tenant_no = y.tenant_no
                 AND l.experiment_id = y.experiment_id
            WHERE y.tenant_no = $1 AND y.lifecycle_stage = 'deleted')
      AND ($2::int4 IS NULL OR m.workspace_id = $2)
      AND least(CASE m.lifecycle_stage WHEN 'deleted' THEN m.last_update_time END,
                CASE x.lifecycle_stage WHEN 'deleted' THEN x.last_update_time END)
          <= due_before($3, e.deleted_days, $4)
      AND (c.id IS NULL OR c.version <> m.version
           OR (c.state <> 'released' AND c.asked_at < now() - make_interval(secs => $5)))
      AND NOT EXISTS (SELECT FROM model_versions v WHERE v.tenant_no = m.tenant_no
                      AND v.model_id = m.model_id AND NOT v.gone)
    ORDER BY m.last_update_time LIMIT $6
    FOR NO KEY UPDATE OF m SKIP LOCKED FOR SHARE OF x SKIP LOCKED
), asked AS (
    UPDATE logged_models AS m SET version = m.version + 1 FROM due
    WHERE m.tenant_no = $1 AND m.model_id = due.model_id
    RETURNING m.*
), noted AS (
    INSERT INTO condemned (tenant_no, id, kind, version)
    SELECT a.tenant_no, a.model_id, 'model', a.version FROM asked a
    ON CONFLICT (tenant_no, id) DO UPDATE
    SET version = excluded.version, state = 'asked', asked_at = now()
)
SELECT * FROM asked
"""
_MAKERS: Final = """
SELECT replace(r.run_id::text, '-', '') FROM run_models o
JOIN runs r ON r.tenant_no = o.tenant_no AND r.run_no = o.run_no
WHERE o.tenant_no = $1 AND o.model_id = $2 AND o.direction = 'output'
UNION
SELECT m.source_run_id FROM logged_models m
WHERE m.tenant_no = $1 AND m.model_id = $3 AND m.source_run_id <> ''
ORDER BY 1
"""
_LEAD: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('tracking collector', 0))"
_ANSWER: Final = """
UPDATE condemned SET state = $4 WHERE tenant_no = $1 AND id = $2 AND version = $3
"""
_UNANSWERED: Final = """
SELECT count(*) FROM condemned c
LEFT JOIN runs r ON r.tenant_no = c.tenant_no AND r.run_id = c.id AND r.version = c.version
LEFT JOIN logged_models m ON m.tenant_no = c.tenant_no AND m.model_id = c.id
     AND m.version = c.version
WHERE c.tenant_no = $1 AND c.state = 'asked'
  AND ($2::int4 IS NULL OR coalesce(r.workspace_id, m.workspace_id) = $2)
"""


async def leads(connection: Connection) -> bool:
    """Whether this process collects, until the transaction ends, and no other does."""
    return bool(await connection.fetchval(_LEAD))


async def condemn_runs(connection: Connection, scope: Scope) -> list[Run]:
    """A page of runs past their time, of which the registry is to be asked."""
    return [run_of(row) for row in await connection.fetch(_RUNS, *_values(scope))]


async def condemn_models(connection: Connection, scope: Scope) -> list[LoggedModel]:
    """A page of logged models past their time, of which the registry is to be asked."""
    return [model_of(row) for row in await connection.fetch(_MODELS, *_values(scope))]


async def makers(connection: Connection, tenant_no: int, model: LoggedModel) -> list[str]:
    """The runs that made a logged model, as far as they are there."""
    rows = await connection.fetch(_MAKERS, tenant_no, model.model_id, model_uuid(model.model_id))
    return [row[0] for row in rows]


async def answered(
    connection: Connection, tenant_no: int, source: UUID, version: int, state: str
) -> None:
    """Note what the registry says of a condemned run or logged model, unless it changed since."""
    await connection.execute(_ANSWER, tenant_no, source, version, state)


async def unanswered(connection: Connection, scope: Scope) -> int:
    """How many runs and logged models wait for the registry."""
    count: int = await connection.fetchval(_UNANSWERED, scope.tenant_no, scope.workspace_id)
    return count


def _values(scope: Scope) -> tuple[object, ...]:
    return (
        *(scope.tenant_no, scope.workspace_id, scope.days, scope.default_days),
        *(scope.again_seconds, PAGE),
    )
