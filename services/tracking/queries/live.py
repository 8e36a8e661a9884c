"""What live streams ask: the runs that one begins with, and what the facts do not tell."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from asyncpg import Record

from libs.common.database import Connection
from services.tracking.schemas import live

# One run, or the newest of an experiment: what is not asked for is NULL, and finds nothing.
_NOW: Final = """
WITH asked AS (
    (SELECT * FROM runs WHERE tenant_no = $1 AND workspace_id = $2 AND run_id = $3::uuid)
    UNION ALL
    (SELECT * FROM runs
     WHERE tenant_no = $1 AND workspace_id = $2 AND experiment_id = $4::int4
       AND lifecycle_stage = 'active'
     ORDER BY start_time DESC, run_id LIMIT $5)
)
SELECT r.run_id, r.version, r.experiment_id, r.name, r.status, r.lifecycle_stage, r.start_time,
       r.end_time, m.keys, m.vals, m.times, m.steps, coalesce(m.total, 0) AS total
FROM asked r
LEFT JOIN LATERAL (
    SELECT array_agg(q.key) AS keys, array_agg(q.value) AS vals, array_agg(q.ts) AS times,
           array_agg(q.step) AS steps, max(q.total) AS total
    FROM (
        SELECT k.key, l.value, l.ts, l.step, count(*) OVER () AS total
        FROM latest_metrics l
        JOIN metric_keys k ON k.tenant_no = l.tenant_no AND k.key_no = l.key_no
        WHERE l.tenant_no = $1 AND l.run_no = r.run_no
        ORDER BY k.key LIMIT $6
    ) q
) m ON true
"""
_EXPERIMENT_IS_THERE: Final = """
SELECT true FROM experiments
WHERE tenant_no = $1 AND workspace_id = $2 AND experiment_id = $3::int4
"""
_EXPERIMENTS_OF: Final = """
SELECT run_id, experiment_id FROM runs WHERE tenant_no = $1 AND run_id = ANY($2::uuid[])
"""
_LATEST: Final = """
SELECT r.run_id, k.key, l.value, l.ts, l.step
FROM unnest($2::uuid[], $3::text[]) AS u (run_id, key)
JOIN runs r ON r.tenant_no = $1 AND r.run_id = u.run_id
JOIN metric_keys k ON k.tenant_no = $1 AND k.key = u.key
JOIN latest_metrics l ON l.tenant_no = $1 AND l.run_no = r.run_no AND l.key_no = k.key_no
"""
MOST_RUNS: Final = 100
_METRICS_OF_RUN: Final = 1_000
_METRICS_OF_ONE: Final = 100


async def run_now(
    connection: Connection, tenant_no: int, workspace_id: int, run_id: UUID
) -> live.Snapshot | None:
    """A run as it stands; None when there is none."""
    asked = tenant_no, workspace_id, run_id, None, 0
    rows = await connection.fetch(_NOW, *asked, _METRICS_OF_RUN)
    return live.Snapshot([_run(row) for row in rows]) if rows else None


async def experiment_now(
    connection: Connection, tenant_no: int, workspace_id: int, experiment_id: int
) -> live.Snapshot | None:
    """The newest runs of an experiment as they stand; None when there is no such experiment."""
    place = tenant_no, workspace_id
    if not await connection.fetchval(_EXPERIMENT_IS_THERE, *place, experiment_id):
        return None
    asked = *place, None, experiment_id, MOST_RUNS
    rows = await connection.fetch(_NOW, *asked, _METRICS_OF_ONE)
    return live.Snapshot([_run(row) for row in rows])


async def experiments_of(
    connection: Connection, tenant_no: int, run_ids: Sequence[str]
) -> dict[str, int]:
    """The experiments that runs are in."""
    rows = await connection.fetch(_EXPERIMENTS_OF, tenant_no, [UUID(one) for one in run_ids])
    return {row["run_id"].hex: row["experiment_id"] for row in rows}


async def latest_of(
    connection: Connection, tenant_no: int, wanted: Mapping[str, Sequence[str]]
) -> dict[str, list[live.Point]]:
    """The latest points of some metrics of some runs."""
    pairs = [(UUID(run_id), key) for run_id, keys in wanted.items() for key in keys]
    rows = await connection.fetch(
        _LATEST, tenant_no, [run_id for run_id, _ in pairs], [key for _, key in pairs]
    )
    found: dict[str, list[live.Point]] = {run_id: [] for run_id in wanted}
    for row in rows:
        run_id = row["run_id"].hex
        value = _wire(row["value"])
        found[run_id].append(live.Point(run_id, row["key"], value, row["ts"], row["step"]))
    return found


def _run(row: Record) -> live.RunNow:
    columns = (row["keys"] or (), row["vals"] or (), row["times"] or (), row["steps"] or ())
    metrics = [
        live.LatestPoint(key, _wire(value), time, step)
        for key, value, time, step in zip(*columns, strict=True)
    ]
    return live.RunNow(
        run_id=row["run_id"].hex,
        version=row["version"],
        experiment_id=str(row["experiment_id"]),
        name=row["name"],
        status=row["status"],
        lifecycle_stage=row["lifecycle_stage"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        metrics=metrics,
        left_out=row["total"] - len(metrics),
    )


def _wire(value: float) -> float | str:
    # Not-a-number alone differs from itself.
    return value if value == value else "NaN"  # noqa: PLR0124
