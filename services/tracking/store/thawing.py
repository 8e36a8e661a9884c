"""Metrics whose points lie in files alone, and their coming back; the caller commits."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from asyncpg import Record

from libs.common.database import Connection
from services.tracking.archive.parquet import Points
from services.tracking.model.archive import ArchivedMetric, Frozen

_SHOWN: Final = "SELECT f.* FROM frozen_among($1, $2, $3, $4) f"
_OF_RUN: Final = "SELECT f.* FROM frozen_of($1, $2) f"
_STAY: Final = """
SELECT pg_advisory_xact_lock_shared(hashtextextended('points leave for files/' || $1::int4, 0))
"""
_LOCK: Final = """
SELECT true FROM archived_metrics m
JOIN archived_points a ON a.tenant_no = m.tenant_no AND a.run_no = m.run_no
WHERE m.tenant_no = $1 AND m.run_no = $2 AND m.key_no = $3 AND m.thawed_at IS NULL
  AND a.object_key = $4 FOR UPDATE OF m
"""
_RESTORE: Final = """
SELECT pack_points($1, array_fill($2::int8, ARRAY[$7::int4]), array_fill($3::int4, ARRAY[$7::int4]),
                   $4, $5, $6, array_fill(NULL::int4, ARRAY[$7::int4]), 1)
"""
_THAWED: Final = """
UPDATE archived_metrics SET thawed_at = now() WHERE tenant_no = $1 AND run_no = $2 AND key_no = $3
"""


async def shown(
    connection: Connection,
    tenant_no: int,
    workspace_id: int,
    run_ids: Sequence[UUID],
    key: str | None,
) -> list[Frozen]:
    """What is frozen of a metric that runs show, of all their metrics where `key` is None."""
    rows = await connection.fetch(_SHOWN, tenant_no, workspace_id, run_ids, key)
    return [_frozen(row) for row in rows]


async def of_run(connection: Connection, tenant_no: int, run_no: int) -> list[Frozen]:
    """What is frozen of a run's own metrics."""
    return [_frozen(row) for row in await connection.fetch(_OF_RUN, tenant_no, run_no)]


async def stay(connection: Connection, tenant_no: int) -> None:
    """Have no points leave for a file until the transaction ends, which is no snapshot."""
    await connection.execute(_STAY, tenant_no)


async def lock(connection: Connection, tenant_no: int, frozen: Frozen) -> bool:
    """Whether a metric is still frozen in the same file, and stays so until the transaction ends."""
    values = (frozen.run_no, frozen.metric.key_no, frozen.object_key)
    return bool(await connection.fetchval(_LOCK, tenant_no, *values))


async def restore(connection: Connection, tenant_no: int, frozen: Frozen, points: Points) -> None:
    """Store points of a metric as segments."""
    await connection.execute(
        _RESTORE,
        *(tenant_no, frozen.run_no, frozen.metric.key_no, *points, len(points.steps)),
    )


async def thawed(connection: Connection, tenant_no: int, frozen: Frozen) -> None:
    """All points of a metric are back."""
    await connection.execute(_THAWED, tenant_no, frozen.run_no, frozen.metric.key_no)


def _frozen(row: Record) -> Frozen:
    return Frozen(
        run_no=row["run_no"],
        key=row["key"],
        object_key=row["object_key"],
        size=row["size"],
        footer_at=row["footer_at"],
        footer_sha256=row["footer_sha256"],
        metric=ArchivedMetric(
            row["key_no"], row["first_byte"], row["end_byte"], row["sha256"], row["points"]
        ),
    )
