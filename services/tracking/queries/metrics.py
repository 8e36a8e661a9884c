"""Histories of metrics: every point, points of many runs, and samples for a chart.

Identical points are one point here, though they may be stored as often as they were sent. A fork's
points are those of the runs it continues, up to the step where it left them, and its own.
"""

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

from asyncpg import Record

from libs.common.database import Connection, Database
from libs.common.filters.pages import Page
from services.tracking.schemas import answers

# Columns as arrays: a history of a million points is read as three values.
_HISTORY: Final = """
SELECT array_agg(p.ts) AS times, array_agg(p.step) AS steps, array_agg(p.value) AS vals
FROM runs r
JOIN metric_keys k ON k.tenant_no = r.tenant_no AND k.key = $4
CROSS JOIN LATERAL history_of(r.tenant_no, r.run_no, k.key_no, $5, $6, $7, $8, $9) p
WHERE r.tenant_no = $1 AND r.workspace_id = $2 AND r.run_id = $3
"""
_BULK: Final = """
SELECT r.run_id, p.ts, p.step, p.value
FROM runs r
JOIN metric_keys k ON k.tenant_no = r.tenant_no AND k.key = $4
CROSS JOIN LATERAL history_of(r.tenant_no, r.run_no, k.key_no, NULL, NULL, NULL, NULL, $5)
    WITH ORDINALITY AS p (ts, step, value, place)
WHERE r.tenant_no = $1 AND r.workspace_id = $2 AND r.run_id = ANY($3::uuid[])
ORDER BY r.run_id, p.place
LIMIT $5
"""
_SAMPLES: Final = "SELECT * FROM charts_of($1, $2, $3, $4, $5, $6, $7)"
_KINDS: Final = (int, int, float, int)
# What eight bytes hold.
ALL_STEPS: Final = (-(2**63), 2**63 - 1)


async def history(
    connection: Connection,
    tenant_no: int,
    workspace_id: int,
    run_id: UUID,
    key: str,
    max_results: int | None,
    asked: Page,
) -> answers.MetricsAnswer:
    """A metric's points by (time, step, value); all of them, or a page."""
    query = ["history", run_id.hex, key]
    after: Sequence[object] = asked.after(query, _KINDS) or [None] * len(_KINDS)
    limit = None if max_results is None else max_results + 1
    row = await connection.fetchrow(_HISTORY, tenant_no, workspace_id, run_id, key, *after, limit)
    assert row is not None
    points = list(_points(key, row))
    if max_results is None or len(points) <= max_results:
        return answers.MetricsAnswer(points)
    last = points[max_results - 1]
    missing = isinstance(last.value, str)
    value = 0.0 if isinstance(last.value, str) else last.value
    return answers.MetricsAnswer(
        points[:max_results],
        asked.next(query, [last.timestamp, last.step, value, int(missing)]),
    )


async def histories(
    connection: Connection,
    tenant_no: int,
    workspace_id: int,
    run_ids: Sequence[UUID],
    key: str,
    max_results: int,
) -> list[answers.MetricOfRun]:
    """A metric's points of several runs, by run, time, step and value."""
    rows = await connection.fetch(_BULK, tenant_no, workspace_id, list(run_ids), key, max_results)
    return [_of_run(key, row) for row in rows]


async def samples(
    database: Database,
    tenant_no: int,
    workspace_id: int,
    run_ids: Sequence[UUID],
    key: str,
    steps: tuple[int, int] | None,
    max_results: int,
) -> list[answers.MetricOfRun] | None:
    """At most `max_results` points of each run, evenly taken, by run and step, in one round trip.

    They are the first of each of so many even parts, and always the last of all. A run that is
    asked for twice is answered twice. None where some of the points are frozen.
    """
    first, last = steps or ALL_STEPS
    rows = await database.fetch(
        _SAMPLES, tenant_no, workspace_id, run_ids, key, first, last, max_results
    )
    if rows and rows[0]["run_id"] is None:
        return None
    return [point for row in rows for point in _of_chart(key, row)]


def _points(key: str, row: Record) -> Iterator[answers.Metric]:
    columns = (row["vals"] or (), row["times"] or (), row["steps"] or ())
    for value, time, step in zip(*columns, strict=True):
        yield answers.Metric(key, _wire(value), time, step)


def _of_run(key: str, row: Record) -> answers.MetricOfRun:
    return answers.MetricOfRun(key, _wire(row["value"]), row["ts"], row["step"], row["run_id"].hex)


def _of_chart(key: str, row: Record) -> list[answers.MetricOfRun]:
    run_id, make = row["run_id"].hex, answers.MetricOfRun
    return [
        # As in `_wire`, without a call for each point.
        make(key, value if value == value else "NaN", time, step, run_id)  # noqa: PLR0124
        for value, time, step in zip(row["vals"], row["times"], row["steps"], strict=True)
    ]


def _wire(value: float) -> float | str:
    # Not-a-number alone differs from itself.
    return value if value == value else "NaN"  # noqa: PLR0124
