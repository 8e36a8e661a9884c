"""What a fork takes over from the run that it continues; the caller commits."""

from typing import Final
from uuid import UUID

from asyncpg import Record

from libs.common.database import Connection
from services.tracking.model.runs import Run
from services.tracking.store.runs import run_of

# Whoever removes the run for good waits until the fork is there, and then sees it.
_SOURCE: Final = """
SELECT * FROM runs
WHERE tenant_no = $1 AND run_id = $2 AND workspace_id = $3 FOR KEY SHARE
"""
_SIZE: Final = """
SELECT (SELECT max(l.step) FROM latest_metrics l WHERE l.tenant_no = $1 AND l.run_no = $2) AS last,
       (SELECT count(*) FROM run_ancestry a WHERE a.tenant_no = $1 AND a.run_no = $2) AS before
"""
_TAGS: Final = "SELECT key, value FROM run_tags WHERE tenant_no = $1 AND run_no = $2 ORDER BY key"
_NUMBER: Final = "SELECT run_no FROM runs WHERE tenant_no = $1 AND run_id = $2"
_ANCESTRY: Final = """
INSERT INTO run_ancestry (tenant_no, run_no, ancestor_no, up_to)
SELECT $1::int4, $3::int8, $2::int8, $4::int8
UNION ALL
SELECT $1::int4, $3::int8, a.ancestor_no, least(a.up_to, $4::int8)
FROM run_ancestry a WHERE a.tenant_no = $1 AND a.run_no = $2
"""
_PARAMS: Final = """
INSERT INTO params (tenant_no, run_no, key, value)
SELECT $1::int4, $3::int8, p.key, p.value FROM params p WHERE p.tenant_no = $1 AND p.run_no = $2
"""
_INPUTS: Final = """
INSERT INTO inputs (tenant_no, run_no, dataset_no)
SELECT $1::int4, $3::int8, i.dataset_no FROM inputs i WHERE i.tenant_no = $1 AND i.run_no = $2
"""
_INPUT_TAGS: Final = """
INSERT INTO input_tags (tenant_no, run_no, dataset_no, key, value)
SELECT $1::int4, $3::int8, t.dataset_no, t.key, t.value
FROM input_tags t WHERE t.tenant_no = $1 AND t.run_no = $2
"""
_MODELS: Final = """
INSERT INTO run_models (tenant_no, run_no, direction, model_id, step)
SELECT $1::int4, $3::int8, m.direction, m.model_id, m.step
FROM run_models m WHERE m.tenant_no = $1 AND m.run_no = $2 AND m.direction = 'input'
"""
_PAST: Final = """
SELECT k.key FROM latest_metrics l
JOIN metric_keys k ON k.tenant_no = l.tenant_no AND k.key_no = l.key_no
WHERE l.tenant_no = $1 AND l.run_no = $2 AND l.step > $3
"""
# What was latest at the step: the run's latest where it is not past that, else looked for.
_LATEST: Final = """
INSERT INTO latest_metrics (tenant_no, run_no, key_no, step, ts, value)
SELECT $1::int4, $3::int8, l.key_no, l.step, l.ts, l.value FROM latest_metrics l
WHERE l.tenant_no = $1 AND l.run_no = $2 AND l.step <= $4::int8
UNION ALL
SELECT $1::int4, $3::int8, l.key_no, q.step, q.ts, q.value FROM latest_metrics l
CROSS JOIN LATERAL (
    SELECT p.step, p.ts, p.value
    FROM points_of(l.tenant_no, l.run_no, l.key_no, -9223372036854775808, $4) p
    ORDER BY p.step DESC, p.ts DESC, comparable(p.value) DESC LIMIT 1) q
WHERE l.tenant_no = $1 AND l.run_no = $2 AND l.step > $4
"""


async def run_to_fork(
    connection: Connection, tenant_no: int, workspace_id: int, run_id: UUID
) -> Run | None:
    """The run, which is not removed until the transaction ends."""
    row = await connection.fetchrow(_SOURCE, tenant_no, run_id, workspace_id)
    return None if row is None else run_of(row)


async def extent(connection: Connection, tenant_no: int, source: Run) -> tuple[int | None, int]:
    """The last step that a run logged, None for none, and how many runs are before it."""
    row: Record | None = await connection.fetchrow(_SIZE, tenant_no, source.run_no)
    assert row is not None
    return row["last"], row["before"]


async def tags_of(connection: Connection, tenant_no: int, source: Run) -> dict[str, str]:
    """All tags of a run."""
    rows = await connection.fetch(_TAGS, tenant_no, source.run_no)
    return {row["key"]: row["value"] for row in rows}


async def looked_for(connection: Connection, tenant_no: int, source: Run, step: int) -> list[str]:
    """The metrics of which the latest at a step has to be looked for among the points."""
    rows = await connection.fetch(_PAST, tenant_no, source.run_no, step)
    return [row["key"] for row in rows]


async def take_over(
    connection: Connection, tenant_no: int, source: Run, fork: UUID, step: int
) -> None:
    """Give a new run the other's past: its points by name, the rest as rows of its own."""
    number = await connection.fetchval(_NUMBER, tenant_no, fork)
    for statement in (_PARAMS, _INPUTS, _INPUT_TAGS, _MODELS):
        await connection.execute(statement, tenant_no, source.run_no, number)
    for statement in (_ANCESTRY, _LATEST):
        await connection.execute(statement, tenant_no, source.run_no, number, step)
