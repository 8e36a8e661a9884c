"""Which points may be packed, and the packing: points that lie apart become segments.

The caller commits. Readers take both forms, so that nobody notices when.
"""

from dataclasses import dataclass
from typing import Final

from libs.common.database import Connection

SCANNED_A_PAGE: Final = 50_000
# Of a metric of a run that has ended, or was made a day ago: as few as a segment is smaller than.
ROWS_OF_QUIET: Final = 8
SEGMENTS_OF_QUIET: Final = 2
# Of one that is at work: so many that what comes later is not packed with them over and over again.
ROWS_OF_BUSY: Final = 256
SEGMENTS_OF_BUSY: Final = 128
_LEAD: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('tracking packer', 0))"
# Counted in the index alone. A run that is gone has no row: its points are removed, not packed.
_ROWS: Final = """
SELECT g.run_no, g.key_no, g.found,
       CASE WHEN r.status IN ('RUNNING', 'SCHEDULED')
                 AND made_at(r.run_id) > (extract(epoch FROM now()) * 1000)::int8 - 86400000
            THEN 'busy' WHEN r.run_no IS NOT NULL THEN 'quiet' END AS run
FROM (
    SELECT q.run_no, q.key_no, count(*) AS found
    FROM (SELECT p.run_no, p.key_no FROM metric_points p
          WHERE p.tenant_no = $1 AND (p.run_no, p.key_no) > ($2, $3)
          ORDER BY p.run_no, p.key_no LIMIT $4) q
    GROUP BY q.run_no, q.key_no
) g
LEFT JOIN runs r ON r.tenant_no = $1 AND r.run_no = g.run_no
ORDER BY g.run_no, g.key_no
"""
_SEGMENTS: Final = """
SELECT g.run_no, g.key_no, g.found,
       CASE WHEN r.status IN ('RUNNING', 'SCHEDULED')
                 AND made_at(r.run_id) > (extract(epoch FROM now()) * 1000)::int8 - 86400000
            THEN 'busy' WHEN r.run_no IS NOT NULL THEN 'quiet' END AS run
FROM (
    SELECT q.run_no, q.key_no, count(*) AS found
    FROM (SELECT s.run_no, s.key_no FROM metric_segments s
          WHERE s.tenant_no = $1 AND NOT s.whole AND (s.run_no, s.key_no) > ($2, $3)
          ORDER BY s.run_no, s.key_no LIMIT $4) q
    GROUP BY q.run_no, q.key_no
) g
LEFT JOIN runs r ON r.tenant_no = $1 AND r.run_no = g.run_no
ORDER BY g.run_no, g.key_no
"""
_FOLD: Final = "SELECT fold_points($1, $2, $3, $4, $5)"
_LEAST: Final = {
    "quiet": (ROWS_OF_QUIET, SEGMENTS_OF_QUIET),
    "busy": (ROWS_OF_BUSY, SEGMENTS_OF_BUSY),
}


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of a run that has enough to be packed: as many points apart, or segments with room."""

    run_no: int
    key_no: int
    rows: int
    segments: int


@dataclass(frozen=True, slots=True)
class Page:
    """What was found to pack, and where the next page begins; None after the last one."""

    metrics: list[Metric]
    after: tuple[int, int] | None


START: Final = (0, 0)


async def leads(connection: Connection) -> bool:
    """Whether this process packs, until the transaction ends, and no other does."""
    return bool(await connection.fetchval(_LEAD))


async def apart(connection: Connection, tenant_no: int, after: tuple[int, int]) -> Page:
    """Metrics of which points lie apart."""
    return await _page(connection, _ROWS, tenant_no, after, kind=0)


async def in_part(connection: Connection, tenant_no: int, after: tuple[int, int]) -> Page:
    """Metrics of which segments have room."""
    return await _page(connection, _SEGMENTS, tenant_no, after, kind=1)


async def fold(connection: Connection, tenant_no: int, metric: Metric) -> bool:
    """Pack a bounded number of a metric's points; whether more are left."""
    return bool(
        await connection.fetchval(
            _FOLD, tenant_no, metric.run_no, metric.key_no, metric.rows, metric.segments
        )
    )


async def _page(
    connection: Connection, sql: str, tenant_no: int, after: tuple[int, int], *, kind: int
) -> Page:
    rows = await connection.fetch(sql, tenant_no, *after, SCANNED_A_PAGE)
    more = sum(row["found"] for row in rows) == SCANNED_A_PAGE
    if more and len(rows) > 1:
        # Of the last one perhaps not all was counted.
        rows = rows[:-1]
    metrics = [
        Metric(row["run_no"], row["key_no"], *_LEAST[row["run"]])
        for row in rows
        if row["run"] and row["found"] >= _LEAST[row["run"]][kind]
    ]
    return Page(metrics, (rows[-1]["run_no"], rows[-1]["key_no"]) if more else None)
