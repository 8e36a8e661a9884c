"""How long an experiment keeps what is deleted, and what a collection would remove now."""

from typing import Final

from libs.common.database import Connection, Database
from services.tracking.model.retention import Collected, Retention, Scope

_RULE: Final = """
SELECT e.deleted_days, e.finished_days, e.archive_days FROM experiments x
LEFT JOIN experiment_retention e ON e.tenant_no = x.tenant_no AND e.experiment_id = x.experiment_id
WHERE x.tenant_no = $1 AND x.workspace_id = $2 AND x.experiment_id = $3
"""
_TENANTS: Final = "SELECT tenant_no, tenant::text AS tenant FROM known_tenants ORDER BY tenant_no"
# Versions that are not heard of yet are not seen here: the registry is asked before anything goes.
_DUE: Final = """
WITH gone_runs AS (
    SELECT r.run_no, r.artifact_uri, r.workspace_id FROM runs r
    LEFT JOIN experiment_retention e ON e.tenant_no = r.tenant_no
         AND e.experiment_id = r.experiment_id
    WHERE r.tenant_no = $1 AND r.lifecycle_stage = 'deleted'
      AND ($2::int4 IS NULL OR r.workspace_id = $2)
      AND r.deleted_time <= due_before($3, e.deleted_days, $4)
      AND NOT EXISTS (SELECT FROM model_versions v WHERE v.tenant_no = r.tenant_no
                      AND v.run_id = r.run_id AND NOT v.gone)
), gone_experiments AS (
    SELECT x.experiment_id FROM experiments x
    LEFT JOIN experiment_retention e ON e.tenant_no = x.tenant_no
         AND e.experiment_id = x.experiment_id
    WHERE x.tenant_no = $1 AND x.lifecycle_stage = 'deleted'
      AND ($2::int4 IS NULL OR x.workspace_id = $2)
      AND x.last_update_time <= due_before($3, e.deleted_days, $4)
), gone_models AS (
    SELECT m.artifact_uri, m.workspace_id FROM logged_models m
    LEFT JOIN experiment_retention e ON e.tenant_no = m.tenant_no
         AND e.experiment_id = m.experiment_id
    WHERE m.tenant_no = $1 AND ($2::int4 IS NULL OR m.workspace_id = $2)
      AND (m.experiment_id IN (SELECT g.experiment_id FROM gone_experiments g)
           OR (m.lifecycle_stage = 'deleted'
               AND m.last_update_time <= due_before($3, e.deleted_days, $4)))
      AND NOT EXISTS (SELECT FROM model_versions v WHERE v.tenant_no = m.tenant_no
                      AND v.model_id = m.model_id AND NOT v.gone)
), folders AS (
    SELECT workspace_id, substr(artifact_uri, length('mlflow-artifacts:/') + 1) AS path
    FROM (SELECT artifact_uri, workspace_id FROM gone_runs
          UNION ALL SELECT artifact_uri, workspace_id FROM gone_models) g
)
SELECT (SELECT count(*) FROM gone_runs) AS runs, (SELECT count(*) FROM gone_models) AS models,
       (SELECT count(*) FROM gone_experiments WHERE experiment_id <> 0) AS experiments,
       (SELECT count(*) FROM gone_runs g JOIN metric_points p
        ON p.tenant_no = $1 AND p.run_no = g.run_no)
       + (SELECT coalesce(sum(s.points), 0)::int8 FROM gone_runs g JOIN metric_segments s
          ON s.tenant_no = $1 AND s.run_no = g.run_no)
       + (SELECT coalesce(sum(m.points), 0)::int8 FROM gone_runs g JOIN archived_metrics m
          ON m.tenant_no = $1 AND m.run_no = g.run_no AND m.thawed_at IS NULL) AS points,
       (SELECT coalesce(sum(a.size), 0)::int8 FROM folders f JOIN artifacts a
        ON a.tenant_no = $1 AND a.workspace_id = f.workspace_id
           AND a.path > f.path || '/' AND a.path < f.path || '0') AS bytes
"""


async def rule_of(
    connection: Connection,
    tenant_no: int,
    workspace_id: int,
    experiment_id: int,
    default: Retention,
) -> Retention | None:
    """An experiment's rule, `default` where it has none; None when there is none of that id."""
    row = await connection.fetchrow(_RULE, tenant_no, workspace_id, experiment_id)
    if row is None:
        return None
    if row["deleted_days"] is None:
        return default
    return Retention(**dict(row), own=True)


async def tenants(database: Database) -> list[tuple[int, str]]:
    """All tenants by number and id."""
    return [(row["tenant_no"], row["tenant"]) for row in await database.fetch(_TENANTS)]


async def due(connection: Connection, scope: Scope) -> Collected:
    """What is past its time, as far as is known here."""
    row = await connection.fetchrow(
        _DUE, scope.tenant_no, scope.workspace_id, scope.days, scope.default_days
    )
    assert row is not None
    return Collected(
        runs=row["runs"],
        logged_models=row["models"],
        experiments=row["experiments"],
        points=row["points"],
        bytes=row["bytes"],
    )
