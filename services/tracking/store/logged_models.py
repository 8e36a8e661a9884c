"""Logged models, their params and tags, and what is known of their registered versions."""

from collections.abc import AsyncIterator, Mapping
from typing import Final
from uuid import UUID

import msgspec
from asyncpg import Record

from libs.common.database import Connection, Database
from libs.common.events.outbox import OutboxColumns
from services.tracking.model.logged_models import (
    VERSIONS_TAG,
    LoggedModel,
    VersionKey,
    model_id_of,
    model_uuid,
)

_CREATE: Final = """
SELECT create_logged_model($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
                           $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
"""
_SAVE: Final = """
UPDATE logged_models SET version = $3, status = $4, lifecycle_stage = $5,
       last_update_time = (extract(epoch FROM clock_timestamp()) * 1000)::int8
WHERE tenant_no = $1 AND model_id = $2
RETURNING *
"""
_ADD_PARAMS: Final = """
INSERT INTO logged_model_params (tenant_no, model_id, key, value)
SELECT $1, $2, u.key, u.value FROM unnest($3::text[], $4::text[]) AS u (key, value)
ON CONFLICT DO NOTHING
"""
_CHANGED_PARAM: Final = """
SELECT p.key, p.value AS old, u.value AS new
FROM unnest($3::text[], $4::text[]) AS u (key, value)
JOIN logged_model_params p ON p.tenant_no = $1 AND p.model_id = $2 AND p.key = u.key
WHERE p.value <> u.value
ORDER BY p.key LIMIT 1
"""
_SET_TAGS: Final = """
INSERT INTO logged_model_tags (tenant_no, model_id, key, value)
SELECT $1, $2, u.key, u.value FROM unnest($3::text[], $4::text[]) AS u (key, value)
ON CONFLICT (tenant_no, model_id, key) DO UPDATE SET value = excluded.value
"""
_BRING_BACK: Final = """
WITH page AS (
    SELECT model_id FROM logged_models
    WHERE tenant_no = $1 AND experiment_id = $2 AND lifecycle_stage = 'active' AND model_id > $3
    ORDER BY model_id LIMIT $4
    FOR NO KEY UPDATE
), changed AS (
    UPDATE logged_models AS m SET version = m.version + 1
    FROM page WHERE m.tenant_no = $1 AND m.model_id = page.model_id
    RETURNING m.*
)
SELECT c.*, coalesce((SELECT json_object_agg(t.key, t.value) FROM logged_model_tags t
                      WHERE t.tenant_no = c.tenant_no AND t.model_id = c.model_id),
                     '{}') AS tags
FROM changed c ORDER BY c.model_id
"""
_PAGE: Final = 200


class Outcome(msgspec.Struct, frozen=True):
    """When a model was made, in milliseconds, or why it was not."""

    made: int = 0
    why: str = ""
    stage: str = ""


async def create(
    database: Database,
    model: LoggedModel,
    params: Mapping[str, str],
    tags: Mapping[str, str],
    told: OutboxColumns,
) -> Outcome:
    """A new logged model, pending, and the facts that tell of it, in one round trip."""
    answer = await database.fetchval(
        _CREATE,
        *(model.workspace_id, model.experiment_id, model_uuid(model.model_id), model.name),
        *(model.artifact_uri, model.model_type, model.source_run_id),
        *(list(params), list(params.values()), list(tags), list(tags.values())),
        *told,
    )
    return msgspec.json.decode(answer, type=Outcome)


async def to_change(
    connection: Connection, tenant_no: int, workspace_id: int, model_id: UUID
) -> LoggedModel | None:
    """The model in any lifecycle stage, locked until the transaction ends."""
    row = await connection.fetchrow(
        """
        SELECT * FROM logged_models
        WHERE tenant_no = $1 AND model_id = $2 AND workspace_id = $3 FOR NO KEY UPDATE
        """,
        *(tenant_no, model_id, workspace_id),
    )
    return None if row is None else model_of(row)


async def save(connection: Connection, tenant_no: int, model: LoggedModel) -> LoggedModel:
    """The model's status, stage and version, updated now."""
    row = await connection.fetchrow(
        _SAVE,
        *(tenant_no, model_uuid(model.model_id), model.version, model.status),
        model.lifecycle_stage,
    )
    assert row is not None
    return model_of(row)


async def save_version(connection: Connection, tenant_no: int, model: LoggedModel) -> None:
    """The model's version alone: MLflow's update time does not move with tags and params."""
    await connection.execute(
        "UPDATE logged_models SET version = $3 WHERE tenant_no = $1 AND model_id = $2",
        *(tenant_no, model_uuid(model.model_id), model.version),
    )


async def bring_back(
    connection: Connection, tenant_no: int, experiment_id: int
) -> AsyncIterator[list[tuple[LoggedModel, dict[str, str]]]]:
    """Give the active models of a restored experiment new versions, page by page with their tags."""
    last = UUID(int=0)
    while True:
        rows = await connection.fetch(_BRING_BACK, tenant_no, experiment_id, last, _PAGE)
        if rows:
            yield [(model_of(row), msgspec.json.decode(row["tags"])) for row in rows]
        if len(rows) < _PAGE:
            return
        last = rows[-1]["model_id"]


async def add_params(
    connection: Connection, tenant_no: int, model_id: UUID, params: Mapping[str, str]
) -> tuple[str, str, str] | None:
    """Store params; gives (key, old, new) of one that is there with another value, None if none."""
    columns = (list(params), list(params.values()))
    changed = await connection.fetchrow(_CHANGED_PARAM, tenant_no, model_id, *columns)
    if changed is not None:
        return changed["key"], changed["old"], changed["new"]
    await connection.execute(_ADD_PARAMS, tenant_no, model_id, *columns)
    return None


async def tags(connection: Connection, tenant_no: int, model_id: UUID) -> dict[str, str]:
    """A model's tags by key."""
    rows = await connection.fetch(
        """
        SELECT key, value FROM logged_model_tags
        WHERE tenant_no = $1 AND model_id = $2 ORDER BY key
        """,
        *(tenant_no, model_id),
    )
    return {row["key"]: row["value"] for row in rows}


async def set_tags(
    connection: Connection, tenant_no: int, model_id: UUID, given: Mapping[str, str]
) -> None:
    """Set tags, replacing values."""
    await connection.execute(_SET_TAGS, tenant_no, model_id, list(given), list(given.values()))


async def delete_tag(connection: Connection, tenant_no: int, model_id: UUID, key: str) -> bool:
    """Delete a tag; False when there was none."""
    done = await connection.execute(
        "DELETE FROM logged_model_tags WHERE tenant_no = $1 AND model_id = $2 AND key = $3",
        *(tenant_no, model_id, key),
    )
    return done != "DELETE 0"


async def versions_tag(connection: Connection, tenant_no: int, model_id: UUID) -> str | None:
    """The tag that names a model's registered versions, None without one."""
    value: str | None = await connection.fetchval(
        """
        SELECT value FROM logged_model_tags
        WHERE tenant_no = $1 AND model_id = $2 AND key = $3
        """,
        *(tenant_no, model_id, VERSIONS_TAG),
    )
    return value


async def known_versions(
    connection: Connection, tenant_no: int, workspace_id: int, model_id: UUID
) -> dict[VersionKey, bool]:
    """The versions that the registry told of, in their order, and whether each still stands."""
    rows = await connection.fetch(
        """
        SELECT name, number, gone FROM model_versions
        WHERE tenant_no = $1 AND model_id = $2 AND workspace_id = $3 ORDER BY name, number
        """,
        *(tenant_no, model_id, workspace_id),
    )
    return {(row["name"], row["number"]): not row["gone"] for row in rows}


def model_of(row: Record) -> LoggedModel:
    """The logged model in a row of its table."""
    return LoggedModel(
        model_id=model_id_of(row["model_id"]),
        workspace_id=row["workspace_id"],
        experiment_id=row["experiment_id"],
        version=row["version"],
        name=row["name"],
        artifact_uri=row["artifact_uri"],
        status=row["status"],
        lifecycle_stage=row["lifecycle_stage"],
        model_type=row["model_type"],
        source_run_id=row["source_run_id"],
        creation_time=row["creation_time"],
        last_update_time=row["last_update_time"],
    )
