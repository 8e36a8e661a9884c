"""What a batch of producers' messages reads and writes, a tenant at a time; the caller commits.

Locks are taken as everywhere: runs, params, latest metrics, tags, each ascending.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import UUID

import msgspec
from asyncpg import Record

from libs.common.database import Connection
from services.tracking.model.ingest_messages import Columns
from services.tracking.model.ingest_section import Held, Place
from services.tracking.model.runs import Run
from services.tracking.store.runs import run_of

_ACTIVE: Final = """
SELECT NOT EXISTS (SELECT FROM known_tenants k WHERE k.tenant_no = $1 AND k.status <> 'active')
"""
_ENDED: Final = """
SELECT c.actor FROM ended_credentials c
WHERE c.tenant_no = $1 AND c.actor = ANY($2::text[]) AND c.ends_at <= now()
"""
# Whatever is lost of a credential that ended is lost when no message of its passes can be applied
# any more: passes live for half a day, dead letters are kept for ninety.
_END: Final = """
INSERT INTO ended_credentials AS c (tenant_no, actor, ends_at)
VALUES ($1, $2, CASE $3::int8 WHEN 0 THEN now() ELSE to_timestamp($3::int8 / 1000.0) END)
ON CONFLICT (tenant_no, actor) DO UPDATE SET ends_at = least(c.ends_at, excluded.ends_at)
"""
_FORGET: Final = """
DELETE FROM ended_credentials WHERE tenant_no = $1 AND ends_at < now() - interval '100 days'
"""
_LOCK: Final = """
SELECT r.run_no FROM runs r
WHERE r.tenant_no = $1 AND r.run_id = ANY($2::uuid[]) ORDER BY r.run_no FOR NO KEY UPDATE
"""
_RUNS: Final = """
SELECT r.*, e.name AS experiment_name, e.owner, e.lifecycle_stage AS experiment_stage
FROM runs r
JOIN experiments e ON e.tenant_no = r.tenant_no AND e.experiment_id = r.experiment_id
WHERE r.tenant_no = $1 AND r.run_id = ANY($2::uuid[])
"""
_PLACES: Final = """
SELECT e.experiment_id, e.workspace_id, e.name, e.owner, e.lifecycle_stage FROM experiments e
WHERE e.tenant_no = $1 AND e.experiment_id = ANY($2::int8[])
"""
_PARAMS: Final = """
SELECT r.run_id, p.key, p.value
FROM (SELECT DISTINCT u.run_id, u.key FROM unnest($2::uuid[], $3::text[]) AS u (run_id, key)) u
JOIN runs r ON r.tenant_no = $1 AND r.run_id = u.run_id
JOIN params p ON p.tenant_no = $1 AND p.run_no = r.run_no AND p.key = u.key
"""
_MODELS: Final = """
SELECT m.workspace_id, m.model_id FROM logged_models m
WHERE m.tenant_no = $1 AND m.model_id = ANY($2::uuid[])
"""
_KEYS: Final = "SELECT numbers_of_keys($1, $2)"
_CONTEXTS: Final = "SELECT numbers_of_contexts($1, $2, $3, $4)"
_ADD_RUNS: Final = """
INSERT INTO runs (tenant_no, experiment_id, run_id, workspace_id, start_time, status, name,
                  user_id, artifact_uri, created_by)
SELECT $1, u.experiment_id, u.run_id, u.workspace_id, u.start_time, 'RUNNING', u.name, u.user_id,
       u.artifact_uri, u.created_by
FROM unnest($2::int4[], $3::uuid[], $4::int4[], $5::int8[], $6::text[], $7::text[], $8::text[],
            $9::text[])
     AS u (experiment_id, run_id, workspace_id, start_time, name, user_id, artifact_uri, created_by)
ORDER BY u.run_id
ON CONFLICT DO NOTHING
RETURNING run_id, run_no
"""
_SAVE_RUNS: Final = """
UPDATE runs AS r SET name = u.name, status = u.status, end_time = u.end_time, version = u.version
FROM unnest($2::int8[], $3::text[], $4::text[], $5::int8[], $6::int4[])
     AS u (run_no, name, status, end_time, version)
WHERE r.tenant_no = $1 AND r.run_no = u.run_no
"""
_ADD_PARAMS: Final = """
INSERT INTO params (tenant_no, run_no, key, value)
SELECT $1, u.run_no, u.key, u.value
FROM unnest($2::int8[], $3::text[], $4::text[]) AS u (run_no, key, value)
ORDER BY u.run_no, u.key
ON CONFLICT DO NOTHING
"""
# As texts: the driver looks at each element of an array three times, which costs more than a point.
_STORE_POINTS: Final = """
SELECT store_points($1, $2::text::int8[], $3::text::int4[], $4::text::int8[], $5::text::int8[],
                    $6::text::float8[], $7)
"""
_SET_TAGS: Final = """
INSERT INTO run_tags AS t (tenant_no, run_no, key, value)
SELECT $1, u.run_no, u.key, u.value
FROM unnest($2::int8[], $3::text[], $4::text[]) AS u (run_no, key, value)
ORDER BY u.run_no, u.key
ON CONFLICT (tenant_no, run_no, key) DO UPDATE SET value = excluded.value
WHERE t.value <> excluded.value
"""


async def enter_tenant(connection: Connection, tenant_no: int) -> None:
    """What follows in this transaction sees and writes that tenant only."""
    await connection.execute("SELECT set_config('app.tenant', $1, true)", str(tenant_no))


async def is_active(connection: Connection, tenant_no: int) -> bool:
    """False where the tenant is known to be suspended."""
    return bool(await connection.fetchval(_ACTIVE, tenant_no))


async def ended_among(connection: Connection, tenant_no: int, actors: Iterable[str]) -> set[str]:
    """Those of some credentials that ended before their time."""
    rows = await connection.fetch(_ENDED, tenant_no, list(actors))
    return {row["actor"] for row in rows}


async def end_credential(connection: Connection, tenant_no: int, actor: str, ends_at: int) -> None:
    """A credential ends then, in milliseconds since 1970, 0 for now, with the passes it asked for."""
    await connection.execute(_END, tenant_no, actor, ends_at)
    await connection.execute(_FORGET, tenant_no)


async def lock_runs(connection: Connection, tenant_no: int, run_ids: Sequence[UUID]) -> None:
    """Hold runs that are to change, until COMMIT."""
    await connection.fetch(_LOCK, tenant_no, run_ids)


async def runs(connection: Connection, tenant_no: int, run_ids: Sequence[UUID]) -> dict[UUID, Held]:
    """Those of some runs that are there, in any workspace."""
    rows = await connection.fetch(_RUNS, tenant_no, run_ids)
    return {row["run_id"]: Held(run_of(row), _place_of_run(row)) for row in rows}


async def places(
    connection: Connection, tenant_no: int, experiment_ids: Sequence[int]
) -> dict[int, Place]:
    """Those of some experiments that are there, in any workspace."""
    return {
        row["experiment_id"]: Place(
            row["workspace_id"], row["name"], row["owner"], row["lifecycle_stage"]
        )
        for row in await connection.fetch(_PLACES, tenant_no, experiment_ids)
    }


async def params(
    connection: Connection, tenant_no: int, asked: Sequence[tuple[UUID, str]]
) -> dict[tuple[UUID, str], str]:
    """Those of some params of runs that are there."""
    rows = await connection.fetch(
        _PARAMS, tenant_no, [run_id for run_id, _ in asked], [key for _, key in asked]
    )
    return {(row["run_id"], row["key"]): row["value"] for row in rows}


async def models(
    connection: Connection, tenant_no: int, model_ids: Sequence[str]
) -> set[tuple[int, str]]:
    """Those of some logged models that are there, with their workspaces."""
    rows = await connection.fetch(_MODELS, tenant_no, [UUID(each[2:]) for each in model_ids])
    return {(row["workspace_id"], f"m-{row['model_id'].hex}") for row in rows}


async def key_numbers(
    connection: Connection, tenant_no: int, keys: Sequence[str]
) -> dict[str, int]:
    """The numbers of metric keys; keys never seen before get one."""
    numbers = await connection.fetchval(_KEYS, tenant_no, keys)
    return dict(zip(keys, numbers, strict=True))


async def add_runs(connection: Connection, tenant_no: int, made: Sequence[Held]) -> dict[UUID, int]:
    """The numbers of new runs; one that came to be meanwhile is not among them."""
    new = [held.run if held.made is None else held.made for held in made]
    rows = await connection.fetch(
        _ADD_RUNS,
        tenant_no,
        [run.experiment_id for run in new],
        [UUID(run.run_id) for run in new],
        [run.workspace_id for run in new],
        [run.start_time for run in new],
        [run.name for run in new],
        [run.user_id for run in new],
        [run.artifact_uri for run in new],
        [held.creator for held in made],
    )
    return {row["run_id"]: row["run_no"] for row in rows}


async def save_runs(connection: Connection, tenant_no: int, changed: Sequence[Run]) -> None:
    """Names, statuses, ends and versions of runs."""
    await connection.execute(
        _SAVE_RUNS,
        tenant_no,
        [run.run_no for run in changed],
        [run.name for run in changed],
        [run.status for run in changed],
        [run.end_time for run in changed],
        [run.version for run in changed],
    )


async def add_params(
    connection: Connection, tenant_no: int, given: Mapping[tuple[int, str], str]
) -> None:
    """Params by run number and key."""
    await connection.execute(_ADD_PARAMS, tenant_no, *_pairs(given))


async def set_tags(
    connection: Connection, tenant_no: int, given: Mapping[tuple[int, str], str]
) -> None:
    """Tags by run number and key."""
    await connection.execute(_SET_TAGS, tenant_no, *_pairs(given))


async def store_points(
    connection: Connection,
    tenant_no: int,
    points: Sequence[tuple[Held, Columns]],
    numbers: Mapping[tuple[int, str], int],
) -> None:
    """Points of many runs, and the latest values that they make."""
    # Neighbours in the index come one after the other.
    points = sorted(points, key=lambda one: (one[0].run.run_no, numbers[tenant_no, one[1].key]))
    run_nos, key_nos, steps, times, values = [], [], [], [], []
    for held, columns in points:
        count = len(columns.values)
        run_nos.append(",".join([str(held.run.run_no)] * count))
        key_nos.append(",".join([str(numbers[tenant_no, columns.key])] * count))
        steps.append(_joined(columns.steps))
        times.append(_joined(columns.times))
        values.append(_joined_numbers(columns.values))
    contexts = await _contexts(connection, tenant_no, [columns for _, columns in points])
    texts = ["{" + ",".join(column) + "}" for column in (run_nos, key_nos, steps, times, values)]
    await connection.execute(_STORE_POINTS, tenant_no, *texts, contexts)


def _joined(numbers: Sequence[float]) -> str:
    return msgspec.json.encode(numbers)[1:-1].decode()


def _joined_numbers(values: Sequence[float]) -> str:
    """Numbers so that PostgreSQL reads the very same; JSON has no word for not-a-number."""
    return ",".join(map(repr, values)) if math.isnan(sum(values)) else _joined(values)


async def _contexts(
    connection: Connection, tenant_no: int, points: Sequence[Columns]
) -> list[int | None] | None:
    """The number of each point's context, None where no point has one."""
    known = sorted({columns.context for columns in points if any(columns.context)})
    if not known:
        return None
    told = [list(column) for column in zip(*known, strict=True)]
    found = await connection.fetchval(_CONTEXTS, tenant_no, *told)
    number_of = dict(zip(known, found, strict=True))
    numbers: list[int | None] = []
    for columns in points:
        numbers += [number_of.get(columns.context)] * len(columns.values)
    return numbers


def _pairs(given: Mapping[tuple[int, str], str]) -> tuple[list[int], list[str], list[str]]:
    return [run_no for run_no, _ in given], [key for _, key in given], list(given.values())


def _place_of_run(row: Record) -> Place:
    return Place(row["workspace_id"], row["experiment_name"], row["owner"], row["experiment_stage"])
