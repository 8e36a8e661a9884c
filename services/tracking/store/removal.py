"""Removal for good: rows of runs, logged models and experiments, and points page by page.

The caller commits. What lies below a row goes with it, by the foreign keys; points have none.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from libs.common.database import Connection
from services.tracking.model.experiments import Experiment
from services.tracking.model.logged_models import LoggedModel, model_uuid
from services.tracking.model.retention import Scope
from services.tracking.model.runs import Run, run_uuid
from services.tracking.store.experiments import experiment_of
from services.tracking.store.logged_models import model_of
from services.tracking.store.runs import run_of

POINTS_A_PAGE: Final = 20_000
SEGMENTS_A_PAGE: Final = 30
# The registry has released it, and it has not changed since; versions that were heard of meanwhile
# are a second wall. What a deleted workspace leaves to the default one is removed when it is there.
_NEXT_RUN: Final = """
SELECT r.* FROM condemned c
JOIN runs r ON r.tenant_no = c.tenant_no AND r.run_id = c.id AND r.version = c.version
WHERE c.tenant_no = $1 AND c.kind = 'run' AND c.state = 'released'
  AND r.lifecycle_stage = 'deleted' AND ($2::int4 IS NULL OR r.workspace_id = $2)
  AND NOT EXISTS (SELECT FROM model_versions v WHERE v.tenant_no = r.tenant_no
                  AND v.run_id = r.run_id AND NOT v.gone)
  AND NOT EXISTS (SELECT FROM leaving_workspaces l WHERE l.tenant_no = r.tenant_no
                  AND l.workspace_id = r.workspace_id AND l.mode <> 'CASCADE')
  AND r.run_id <> ALL($3::uuid[])
ORDER BY c.asked_at LIMIT 1 FOR UPDATE OF r SKIP LOCKED
"""
# An active one goes with its deleted experiment, which is not restored before that is committed.
_NEXT_MODEL: Final = """
SELECT m.* FROM condemned c
JOIN logged_models m ON m.tenant_no = c.tenant_no AND m.model_id = c.id AND m.version = c.version
JOIN experiments x ON x.tenant_no = m.tenant_no AND x.experiment_id = m.experiment_id
WHERE c.tenant_no = $1 AND c.kind = 'model' AND c.state = 'released'
  AND (m.lifecycle_stage = 'deleted' OR x.lifecycle_stage = 'deleted')
  AND ($2::int4 IS NULL OR m.workspace_id = $2)
  AND NOT EXISTS (SELECT FROM model_versions v WHERE v.tenant_no = m.tenant_no
                  AND v.model_id = m.model_id AND NOT v.gone)
  AND NOT EXISTS (SELECT FROM leaving_workspaces l WHERE l.tenant_no = m.tenant_no
                  AND l.workspace_id = m.workspace_id AND l.mode <> 'CASCADE')
  AND m.model_id <> ALL($3::uuid[])
ORDER BY c.asked_at LIMIT 1 FOR UPDATE OF m SKIP LOCKED FOR SHARE OF x SKIP LOCKED
"""
# `Default` stays: it is made once, and taken for granted from then on.
_NEXT_EXPERIMENT: Final = """
SELECT x.* FROM experiments x
LEFT JOIN experiment_retention e ON e.tenant_no = x.tenant_no AND e.experiment_id = x.experiment_id
WHERE x.tenant_no = $1 AND x.lifecycle_stage = 'deleted' AND x.experiment_id <> 0
  AND ($2::int4 IS NULL OR x.workspace_id = $2)
  AND x.last_update_time <= due_before($3, e.deleted_days, $4)
  AND NOT EXISTS (SELECT FROM runs r WHERE r.tenant_no = x.tenant_no
                  AND r.experiment_id = x.experiment_id)
  AND NOT EXISTS (SELECT FROM logged_models m WHERE m.tenant_no = x.tenant_no
                  AND m.experiment_id = x.experiment_id)
LIMIT 1 FOR UPDATE OF x SKIP LOCKED
"""
# The run's own points, and those of runs before it that are gone: perhaps it alone needed them. A row
# that is there may just be done with: who locks it is waited for, and then it is made anew.
_LEAVE_POINTS: Final = """
INSERT INTO leftover_points (tenant_no, run_no)
SELECT $1::int4, $2::int8
UNION
SELECT a.tenant_no, a.ancestor_no FROM run_ancestry a
WHERE a.tenant_no = $1 AND a.run_no = $2
  AND NOT EXISTS (SELECT FROM runs r WHERE r.tenant_no = a.tenant_no
                  AND r.run_no = a.ancestor_no)
ORDER BY 2
ON CONFLICT (tenant_no, run_no) DO UPDATE SET run_no = excluded.run_no
"""
# One at a time: a fork and a run before it that go at once would each leave the points to the other.
_ALONE: Final = """
SELECT pg_advisory_xact_lock(hashtextextended('points of gone runs/' || $1::int4, 0))
"""
_FORGET: Final = "DELETE FROM condemned WHERE tenant_no = $1 AND id = $2"
_PUT_OFF: Final = "UPDATE condemned SET asked_at = now() WHERE tenant_no = $1 AND id = $2"
_DELETE_RUN: Final = "DELETE FROM runs WHERE tenant_no = $1 AND run_no = $2"
_DELETE_MODEL: Final = "DELETE FROM logged_models WHERE tenant_no = $1 AND model_id = $2"
_DELETE_DATASETS: Final = "DELETE FROM datasets WHERE tenant_no = $1 AND experiment_id = $2"
_DELETE_EXPERIMENT: Final = "DELETE FROM experiments WHERE tenant_no = $1 AND experiment_id = $2"
_LEFTOVER: Final = """
SELECT l.run_no, (SELECT max(a.up_to) FROM run_ancestry a
                  WHERE a.tenant_no = l.tenant_no AND a.ancestor_no = l.run_no) AS needed
FROM leftover_points l WHERE l.tenant_no = $1 LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_DELETE_POINTS: Final = """
WITH gone AS (
    DELETE FROM metric_points WHERE tenant_no = $1 AND ctid = ANY(ARRAY(
        SELECT p.ctid FROM metric_points p
        WHERE p.tenant_no = $1 AND p.run_no = $2 AND ($3::int8 IS NULL OR p.step > $3) LIMIT $4))
    RETURNING 1
)
SELECT count(*) FROM gone
"""
# Its points count unless they are in segments as well. The file of a run that forks show stays whole.
_REMOVE_FILE: Final = """
WITH frozen AS (
    SELECT coalesce(sum(m.points), 0)::int8 AS points FROM archived_metrics m
    WHERE m.tenant_no = $1 AND m.run_no = $2 AND m.thawed_at IS NULL
), gone AS (
    DELETE FROM archived_points a WHERE a.tenant_no = $1 AND a.run_no = $2
    RETURNING a.object_key, a.size
), told AS (
    INSERT INTO loose_objects (object_key, size, leaves)
    SELECT g.object_key, g.size, true FROM gone g
)
SELECT f.points FROM frozen f
"""
_CUT_SEGMENTS: Final = "SELECT removed, done FROM cut_segments($1, $2, $3, $4)"
# What a fork still shows is no point of a logged model any more: its run is gone.
_DETACH_POINTS: Final = """
WITH changed AS (
    UPDATE metric_points SET context_no = NULL WHERE tenant_no = $1 AND ctid = ANY(ARRAY(
        SELECT p.ctid FROM metric_points p
        WHERE p.tenant_no = $1 AND p.run_no = $2 AND p.context_no IS NOT NULL LIMIT $3))
    RETURNING 1
)
SELECT count(*) FROM changed
"""
_DETACH_SEGMENTS: Final = """
WITH changed AS (
    UPDATE metric_segments SET context_no = NULL WHERE tenant_no = $1 AND ctid = ANY(ARRAY(
        SELECT s.ctid FROM metric_segments s
        WHERE s.tenant_no = $1 AND s.run_no = $2 AND s.context_no IS NOT NULL LIMIT $3))
    RETURNING 1
)
SELECT count(*) FROM changed
"""
_DONE: Final = "DELETE FROM leftover_points WHERE tenant_no = $1 AND run_no = $2"


async def next_run(connection: Connection, scope: Scope, passed_over: Sequence[UUID]) -> Run | None:
    """Any other run that may be removed, locked; None when no more are left."""
    row = await connection.fetchrow(_NEXT_RUN, scope.tenant_no, scope.workspace_id, passed_over)
    return None if row is None else run_of(row)


async def next_model(
    connection: Connection, scope: Scope, passed_over: Sequence[UUID]
) -> LoggedModel | None:
    """Any other logged model that may be removed, locked."""
    row = await connection.fetchrow(_NEXT_MODEL, scope.tenant_no, scope.workspace_id, passed_over)
    return None if row is None else model_of(row)


async def next_experiment(connection: Connection, scope: Scope) -> Experiment | None:
    """Any experiment past its time in which nothing is left, locked."""
    row = await connection.fetchrow(
        _NEXT_EXPERIMENT, scope.tenant_no, scope.workspace_id, scope.days, scope.default_days
    )
    return None if row is None else experiment_of(row)


async def put_off(connection: Connection, tenant_no: int, source: UUID) -> None:
    """Let a run or logged model that could not be removed be the last to be tried again."""
    await connection.execute(_PUT_OFF, tenant_no, source)


async def remove_run(connection: Connection, tenant_no: int, run: Run) -> None:
    """Remove a locked run with all but its points, which are left to be removed."""
    await connection.execute(_ALONE, tenant_no)
    await connection.execute(_LEAVE_POINTS, tenant_no, run.run_no)
    await connection.execute(_FORGET, tenant_no, run_uuid(run.run_id))
    await connection.execute(_DELETE_RUN, tenant_no, run.run_no)


async def remove_model(connection: Connection, tenant_no: int, model: LoggedModel) -> None:
    """Remove a locked logged model with its params and tags."""
    stored = model_uuid(model.model_id)
    await connection.execute(_FORGET, tenant_no, stored)
    await connection.execute(_DELETE_MODEL, tenant_no, stored)


async def remove_experiment(connection: Connection, tenant_no: int, experiment: Experiment) -> None:
    """Remove a locked experiment in which nothing is left, with its tags and datasets."""
    await connection.execute(_DELETE_DATASETS, tenant_no, experiment.experiment_id)
    await connection.execute(_DELETE_EXPERIMENT, tenant_no, experiment.experiment_id)


async def remove_points(connection: Connection, tenant_no: int) -> int | None:
    """Remove a page of points that no run or fork shows; None when no more are left."""
    await connection.execute(_ALONE, tenant_no)
    row = await connection.fetchrow(_LEFTOVER, tenant_no)
    if row is None:
        return None
    run_no, needed = row["run_no"], row["needed"]
    # First of all: a metric that comes back meanwhile is then waited for, or does not.
    archived = (
        0 if needed is not None else await connection.fetchval(_REMOVE_FILE, tenant_no, run_no)
    )
    removed: int = await connection.fetchval(
        _DELETE_POINTS, tenant_no, run_no, needed, POINTS_A_PAGE
    )
    done = removed < POINTS_A_PAGE
    cut = await connection.fetchrow(_CUT_SEGMENTS, tenant_no, run_no, needed, SEGMENTS_A_PAGE)
    assert cut is not None
    done = done and cut["done"]
    if needed is not None:
        done = await _detached(connection, tenant_no, run_no) and done
    if done:
        await connection.execute(_DONE, tenant_no, run_no)
    return int(archived) + removed + int(cut["removed"])


async def _detached(connection: Connection, tenant_no: int, run_no: int) -> bool:
    """Whether no more points of a run are a logged model's; takes a page of them from it."""
    points = await connection.fetchval(_DETACH_POINTS, tenant_no, run_no, POINTS_A_PAGE)
    segments = await connection.fetchval(_DETACH_SEGMENTS, tenant_no, run_no, SEGMENTS_A_PAGE)
    return bool(points < POINTS_A_PAGE and segments < SEGMENTS_A_PAGE)
