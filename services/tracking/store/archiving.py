"""Which runs are archived, what a run's file is made of and what it replaces; the caller commits."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from libs.common.database import Connection
from services.tracking.archive.parquet import Rows
from services.tracking.model.archive import ArchivedFile

RUNS_A_PAGE: Final = 500
SEGMENTS_A_WINDOW: Final = 50
LAST_STEP: Final = 2**63 - 1
_LEAD: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('tracking archiver', 0))"
_ANY_RULE: Final = """
SELECT $2 > 0 OR EXISTS (SELECT FROM experiment_retention e
                         WHERE e.tenant_no = $1 AND e.archive_days > 0)
"""
# Points are counted only where the rest holds, which costs one look at an index a run.
_PAGE_OF_RUNS: Final = """
SELECT r.run_no, replace(r.run_id::text, '-', '') AS run_id, e.archive_days,
       CASE WHEN is_long_over(r, e.archive_days, $4)
            THEN points_to_archive(r.tenant_no, r.run_no) >= greatest($5, 1) ELSE false END AS due
FROM (SELECT * FROM runs q WHERE q.tenant_no = $1 AND q.run_no > $2 ORDER BY q.run_no LIMIT $3) r
LEFT JOIN experiment_retention e ON e.tenant_no = r.tenant_no AND e.experiment_id = r.experiment_id
ORDER BY r.run_no
"""
_APART: Final = """
SELECT DISTINCT p.key_no FROM metric_points p WHERE p.tenant_no = $1 AND p.run_no = $2
"""
_SEGMENTS: Final = """
SELECT s.segment_no FROM metric_segments s
WHERE s.tenant_no = $1 AND s.run_no = $2 AND s.context_no IS NULL
"""
_KEYS: Final = """
SELECT k.key_no, k.key FROM metric_keys k
WHERE k.tenant_no = $1 AND k.key_no IN (SELECT s.key_no FROM metric_segments s
                                        WHERE s.tenant_no = $1 AND s.run_no = $2)
ORDER BY k.key
"""
# Where windows of steps begin in each of which so many segments do: each is sorted by itself.
_WINDOWS: Final = """
SELECT DISTINCT b.first_step FROM (
    SELECT s.first_step, row_number() OVER (ORDER BY s.first_step) AS place FROM metric_segments s
    WHERE s.tenant_no = $1 AND s.run_no = $2 AND s.key_no = $3
) b
WHERE b.place % $4 = 1 ORDER BY 1
"""
_POINTS: Final = """
DECLARE archived NO SCROLL CURSOR FOR
SELECT DISTINCT step_at(s, place) AS step, ts_at(s, place) AS ts, value_at(s, place) AS value,
       nullif(c.model_id, '') AS model, nullif(c.dataset_name, '') AS name,
       nullif(c.dataset_digest, '') AS digest
FROM metric_segments s
CROSS JOIN LATERAL generate_series(1, s.points) AS place
LEFT JOIN metric_contexts c ON c.tenant_no = s.tenant_no AND c.context_no = s.context_no
WHERE s.tenant_no = $1 AND s.run_no = $2 AND s.key_no = $3
  AND s.first_step <= $5 AND s.last_step >= $4 AND step_at(s, place) BETWEEN $4 AND $5
ORDER BY step, ts, value, model, name, digest
"""
# So few that nobody who is served meanwhile waits for longer than some milliseconds.
_FETCH: Final = "FETCH 4096 FROM archived"
_CLOSE: Final = "CLOSE archived"
# Who has read points in a transaction that is not one snapshot is waited for: see store/thawing.py.
_ALONE: Final = """
SELECT pg_advisory_xact_lock(hashtextextended('points leave for files/' || $1::int4, 0))
"""
_LOCK_RUN: Final = """
SELECT is_long_over(r, e.archive_days, $3) FROM runs r
LEFT JOIN experiment_retention e ON e.tenant_no = r.tenant_no AND e.experiment_id = r.experiment_id
WHERE r.tenant_no = $1 AND r.run_no = $2 FOR UPDATE OF r
"""
# Or what an older file alone has: another process that archives too may have frozen it again.
_ANY_APART: Final = """
SELECT EXISTS (SELECT FROM metric_points p WHERE p.tenant_no = $1 AND p.run_no = $2)
       OR EXISTS (SELECT FROM archived_metrics m
                  WHERE m.tenant_no = $1 AND m.run_no = $2 AND m.thawed_at IS NULL)
"""
_REMOVE_SEGMENTS: Final = """
WITH gone AS (
    DELETE FROM metric_segments s
    WHERE s.tenant_no = $1 AND s.run_no = $2 AND s.segment_no = ANY ($3) AND s.context_no IS NULL
    RETURNING 1
)
SELECT count(*) FROM gone
"""
_HOLD_OBJECT: Final = """
DELETE FROM loose_objects l WHERE l.object_key = $1 AND NOT l.leaves RETURNING true
"""
_LET_GO: Final = """
WITH gone AS (
    DELETE FROM archived_points a WHERE a.tenant_no = $1 AND a.run_no = $2
    RETURNING a.object_key, a.size
)
INSERT INTO loose_objects (object_key, size, leaves) SELECT g.object_key, g.size, true FROM gone g
"""
_ADD_FILE: Final = """
INSERT INTO archived_points (tenant_no, run_no, object_key, size, sha256, footer_at, footer_sha256,
                             points)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_ADD_METRICS: Final = """
INSERT INTO archived_metrics (tenant_no, run_no, key_no, first_byte, end_byte, sha256, points)
SELECT $1, $2, u.key_no, u.first, u.last, u.sha256, u.points
FROM unnest($3::int4[], $4::int8[], $5::int8[], $6::bytea[], $7::int8[])
     AS u (key_no, first, last, sha256, points)
"""
_THAWED_LONG_AGO: Final = """
SELECT m.run_no, m.key_no FROM archived_metrics m
WHERE m.tenant_no = $1 AND m.thawed_at < now() - make_interval(secs => $2)
ORDER BY m.thawed_at LIMIT $3
"""
_FREEZE: Final = "SELECT freeze_again($1, $2, $3)"


class Candidate(NamedTuple):
    """A run whose points are to be archived."""

    run_no: int
    run_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Runs to be archived, and where the next page begins; None after the last one."""

    runs: list[Candidate]
    after: int | None


async def leads(connection: Connection) -> bool:
    """Whether this process archives, until the transaction ends, and no other does."""
    return bool(await connection.fetchval(_LEAD))


async def archives(connection: Connection, tenant_no: int, default_days: int) -> bool:
    """Whether anything of a tenant is to be archived at any time."""
    return bool(await connection.fetchval(_ANY_RULE, tenant_no, default_days))


async def due(
    connection: Connection, tenant_no: int, after: int, default_days: int, least: int
) -> Page:
    """Runs after one that are over for long, with so many points that no file has."""
    rows = await connection.fetch(_PAGE_OF_RUNS, tenant_no, after, RUNS_A_PAGE, default_days, least)
    runs = [Candidate(row["run_no"], row["run_id"]) for row in rows if row["due"]]
    return Page(runs, rows[-1]["run_no"] if len(rows) == RUNS_A_PAGE else None)


async def apart(connection: Connection, tenant_no: int, run_no: int) -> list[int]:
    """The metrics of a run of which points lie in rows of their own."""
    return [row[0] for row in await connection.fetch(_APART, tenant_no, run_no)]


async def segments(connection: Connection, tenant_no: int, run_no: int) -> list[int]:
    """The segments whose points leave for a file."""
    return [row[0] for row in await connection.fetch(_SEGMENTS, tenant_no, run_no)]


async def keys(connection: Connection, tenant_no: int, run_no: int) -> dict[str, int]:
    """The metrics of a run in the order of their keys, with their numbers."""
    rows = await connection.fetch(_KEYS, tenant_no, run_no)
    return {row["key"]: row["key_no"] for row in rows}


async def points(
    connection: Connection, tenant_no: int, run_no: int, key_no: int
) -> AsyncIterator[Rows]:
    """All points of a metric, each once, by step, time and value, so many at a time."""
    begins = [
        row[0]
        for row in await connection.fetch(_WINDOWS, tenant_no, run_no, key_no, SEGMENTS_A_WINDOW)
    ]
    ends = [begin - 1 for begin in begins[1:]] + [LAST_STEP]
    for first, last in zip(begins, ends, strict=True):
        await connection.execute(_POINTS, tenant_no, run_no, key_no, first, last)
        while rows := await connection.fetch(_FETCH):
            yield Rows(*zip(*rows, strict=True))
        await connection.execute(_CLOSE)


async def is_untouched(
    connection: Connection, tenant_no: int, run_no: int, read: Sequence[int], default_days: int
) -> bool:
    """Whether a run, locked from now on, is as it was when these segments were read."""
    await connection.execute(_ALONE, tenant_no)
    over = await connection.fetchval(_LOCK_RUN, tenant_no, run_no, default_days)
    if not over or await connection.fetchval(_ANY_APART, tenant_no, run_no):
        return False
    return set(await segments(connection, tenant_no, run_no)) == set(read)


async def replace_points(
    connection: Connection, tenant_no: int, run_no: int, read: Sequence[int], file: ArchivedFile
) -> bool:
    """Have a file hold what some segments held, in place of an older one; False to be rolled back."""
    if not await connection.fetchval(_HOLD_OBJECT, file.object_key):
        return False  # it took so long that it was taken for given up
    if await connection.fetchval(_REMOVE_SEGMENTS, tenant_no, run_no, read) != len(read):
        return False
    await connection.execute(_LET_GO, tenant_no, run_no)
    await connection.execute(
        _ADD_FILE,
        *(tenant_no, run_no, file.object_key, file.size, file.sha256),
        *(file.footer_at, file.footer_sha256, sum(m.points for m in file.metrics)),
    )
    columns = list(zip(*file.metrics, strict=True))
    await connection.execute(_ADD_METRICS, tenant_no, run_no, *columns)
    return True


async def thawed_long_ago(
    connection: Connection, tenant_no: int, seconds: float, most: int
) -> list[tuple[int, int]]:
    """Metrics that were brought back so long ago, by run and key."""
    rows = await connection.fetch(_THAWED_LONG_AGO, tenant_no, seconds, most)
    return [(row["run_no"], row["key_no"]) for row in rows]


async def freeze_again(connection: Connection, tenant_no: int, run_no: int, key_no: int) -> bool:
    """Leave a metric to its file again, unless something came beside it."""
    return bool(await connection.fetchval(_FREEZE, tenant_no, run_no, key_no))
