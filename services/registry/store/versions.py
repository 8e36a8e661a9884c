"""Model versions in the database: locked, loaded, changed and removed."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from libs.common.database import Connection
from libs.common.principal import Principal
from services.registry.model.entries import LockedVersion, Model, Origin, TakenNumber, Version

# The key share keeps a rename away, which would leave us with a name of yesterday.
_LOCK: Final = """
SELECT m.model_no, m.name, m.owner, v.number
FROM registered_models m JOIN model_versions v USING (tenant_no, model_no)
WHERE m.tenant_no = $1 AND m.workspace_id = $2 AND m.name = $3 AND v.number = $4
FOR KEY SHARE OF m FOR NO KEY UPDATE OF v
"""
_EXISTS: Final = """
SELECT true FROM model_versions WHERE tenant_no = $1 AND model_no = $2 AND number = $3
"""
_LOCK_ALL: Final = """
SELECT number FROM model_versions WHERE tenant_no = $1 AND model_no = $2
ORDER BY number FOR UPDATE
"""
_STATES: Final = """
SELECT v.model_no, v.workspace_id, v.number, v.stage, v.description, v.source, v.storage_location,
       v.run_id, v.logged_model_id, v.version,
       (SELECT json_object_agg(t.key, t.value) FROM model_version_tags t
        WHERE t.tenant_no = v.tenant_no AND t.model_no = v.model_no AND t.number = v.number)::text
       AS tags
FROM model_versions v
WHERE v.tenant_no = $1 AND v.model_no = $2 AND v.number = ANY($3::int4[])
ORDER BY v.number
"""
_NEXT_NUMBER: Final = """
UPDATE registered_models SET last_number = last_number + 1,
       updated_at = (extract(epoch FROM now()) * 1000)::bigint
WHERE tenant_no = $1 AND workspace_id = $2 AND name = $3
RETURNING model_no, owner, last_number AS number, floor
"""
_INSERT: Final = """
WITH made AS (
    INSERT INTO model_versions (tenant_no, model_no, number, workspace_id, description, source,
                                storage_location, run_id, logged_model_id, run_link, created_at,
                                updated_at, version)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, t.ms, t.ms, $11
    FROM (SELECT (extract(epoch FROM now()) * 1000)::bigint AS ms) AS t
)
INSERT INTO model_version_tags (tenant_no, model_no, number, key, value)
SELECT $1, $2, $3, key, value FROM unnest($12::text[], $13::text[]) AS t (key, value)
"""
_DESCRIBE: Final = """
UPDATE model_versions SET description = $4, version = $5,
       updated_at = (extract(epoch FROM now()) * 1000)::bigint
WHERE tenant_no = $1 AND model_no = $2 AND number = $3
"""
_SET_TAG: Final = """
WITH changed AS (
    UPDATE model_versions SET version = $6
    WHERE tenant_no = $1 AND model_no = $2 AND number = $3
)
INSERT INTO model_version_tags (tenant_no, model_no, number, key, value)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant_no, model_no, number, key) DO UPDATE SET value = excluded.value
"""
_DELETE_TAG: Final = """
WITH changed AS (
    UPDATE model_versions SET version = $5
    WHERE tenant_no = $1 AND model_no = $2 AND number = $3
)
DELETE FROM model_version_tags
WHERE tenant_no = $1 AND model_no = $2 AND number = $3 AND key = $4
"""
_MOVE: Final = """
UPDATE model_versions SET stage = $4, version = version + 1,
       updated_at = (extract(epoch FROM now()) * 1000)::bigint
WHERE tenant_no = $1 AND model_no = $2 AND number = $3
"""
_ARCHIVE_OTHERS: Final = """
UPDATE model_versions SET stage = 'Archived', version = version + 1,
       updated_at = (extract(epoch FROM now()) * 1000)::bigint
WHERE tenant_no = $1 AND model_no = $2 AND number <> $3 AND stage = $4
RETURNING number
"""
_RENAMED: Final = """
UPDATE model_versions SET version = greatest(version, $3) + 1,
       updated_at = (extract(epoch FROM now()) * 1000)::bigint
WHERE tenant_no = $1 AND model_no = $2
RETURNING number
"""
_DELETE: Final = "DELETE FROM model_versions WHERE tenant_no = $1 AND model_no = $2 AND number = $3"


async def lock(
    connection: Connection, principal: Principal, name: str, number: int
) -> LockedVersion | None:
    """Lock a version of the workspace against other writers; None when there is none."""
    row = await connection.fetchrow(
        _LOCK, principal.tenant_no, principal.workspace_id, name, number
    )
    return None if row is None else LockedVersion(**dict(row))


async def load(
    connection: Connection, principal: Principal, locked: LockedVersion
) -> Version | None:
    """A locked version as it stands; None when it went away before the lock was had."""
    found = await _states(connection, principal, locked.model_no, locked.name, [locked.number])
    return found[0] if found else None


async def exists(connection: Connection, principal: Principal, model: Model, number: int) -> bool:
    """Whether a locked model has this version."""
    found = await connection.fetchval(_EXISTS, principal.tenant_no, model.model_no, number)
    return found is not None


async def load_all(connection: Connection, principal: Principal, model: Model) -> list[Version]:
    """All versions of a locked model, locked as well."""
    rows = await connection.fetch(_LOCK_ALL, principal.tenant_no, model.model_no)
    numbers = [row["number"] for row in rows]
    return await _states(connection, principal, model.model_no, model.name, numbers)


async def take_number(
    connection: Connection, principal: Principal, name: str
) -> TakenNumber | None:
    """The next number of a model, which locks it; None when there is no such model."""
    row = await connection.fetchrow(_NEXT_NUMBER, principal.tenant_no, principal.workspace_id, name)
    return None if row is None else TakenNumber(**dict(row))


async def add(
    connection: Connection,
    principal: Principal,
    name: str,
    taken: TakenNumber,
    origin: Origin,
    *,
    description: str,
    run_link: str,
    tags: dict[str, str],
) -> Version:
    """A new version of the model `name`, under the number that was taken for it."""
    version = Version(
        model_no=taken.model_no,
        workspace_id=principal.workspace_id,
        name=name,
        number=taken.number,
        stage="None",
        description=description,
        source=origin.source,
        storage_location=origin.storage_location,
        run_id=origin.run_id,
        logged_model_id=origin.logged_model_id,
        version=taken.floor + 1,
        tags=tags,
    )
    await _insert(connection, principal, version, run_link)
    return version


async def _insert(
    connection: Connection, principal: Principal, version: Version, run_link: str
) -> None:
    await connection.execute(
        _INSERT,
        principal.tenant_no,
        version.model_no,
        version.number,
        version.workspace_id,
        version.description,
        version.source,
        version.storage_location,
        version.run_id,
        version.logged_model_id,
        run_link,
        version.version,
        list(version.tags),
        list(version.tags.values()),
    )


async def describe(
    connection: Connection, principal: Principal, version: Version, description: str | None
) -> None:
    """Give a version another description."""
    version.description = description
    version.version += 1
    await connection.execute(_DESCRIBE, *_key(principal, version), description, version.version)


async def set_tag(
    connection: Connection, principal: Principal, version: Version, key: str, value: str
) -> None:
    """Set one tag."""
    version.tags[key] = value
    version.version += 1
    await connection.execute(_SET_TAG, *_key(principal, version), key, value, version.version)


async def delete_tag(
    connection: Connection, principal: Principal, version: Version, key: str
) -> None:
    """Remove one tag that is there."""
    del version.tags[key]
    version.version += 1
    await connection.execute(_DELETE_TAG, *_key(principal, version), key, version.version)


async def move(connection: Connection, principal: Principal, version: Version, stage: str) -> None:
    """Move a version to a stage."""
    version.stage = stage
    version.version += 1
    await connection.execute(_MOVE, *_key(principal, version), stage)


async def archive_others(
    connection: Connection, principal: Principal, version: Version, stage: str
) -> list[Version]:
    """Archive the other versions of the same model that stand in `stage`; those, as they are now."""
    rows = await connection.fetch(_ARCHIVE_OTHERS, *_key(principal, version), stage)
    numbers = [row["number"] for row in rows]
    return await _states(connection, principal, version.model_no, version.name, numbers)


async def renamed(connection: Connection, principal: Principal, model: Model) -> list[Version]:
    """Count the new name of their model as a change of all its versions; those, as they are now."""
    rows = await connection.fetch(_RENAMED, principal.tenant_no, model.model_no, model.floor)
    numbers = [row["number"] for row in rows]
    return await _states(connection, principal, model.model_no, model.name, numbers)


async def remove(connection: Connection, principal: Principal, version: Version) -> None:
    """Delete a version with its tags and the aliases that point at it."""
    await connection.execute(_DELETE, *_key(principal, version))


async def _states(
    connection: Connection, principal: Principal, model_no: int, name: str, numbers: Sequence[int]
) -> list[Version]:
    # A statement of its own: after a wait for the lock, the locking one would still show what was
    # there before the wait.
    if not numbers:
        return []
    rows = await connection.fetch(_STATES, principal.tenant_no, model_no, list(numbers))
    return [_version(dict(row), name) for row in rows]


def _version(row: dict[str, Any], name: str) -> Version:
    tags = row.pop("tags")
    return Version(**row, name=name, tags=msgspec.json.decode(tags or "{}"))


def _key(principal: Principal, version: Version) -> tuple[int, int, int]:
    return principal.tenant_no, version.model_no, version.number
