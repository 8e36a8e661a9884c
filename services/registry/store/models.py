"""Registered models in the database: locked, loaded, changed, renamed and removed."""

from typing import Final

import msgspec

from libs.common.database import Connection
from libs.common.principal import Principal
from services.registry.model.entries import Model

_LOCK: Final = """
SELECT model_no, workspace_id, name, description, version, floor, owner
FROM registered_models WHERE tenant_no = $1 AND workspace_id = $2 AND name = $3
FOR UPDATE
"""
# A statement of its own: after a wait for the lock, the locking one would still show what was
# there before the wait.
_BELONGINGS: Final = """
SELECT (SELECT json_object_agg(key, value) FROM registered_model_tags
        WHERE tenant_no = $1 AND model_no = $2)::text AS tags,
       (SELECT json_object_agg(alias, number) FROM registered_model_aliases
        WHERE tenant_no = $1 AND model_no = $2)::text AS aliases
"""
_INSERT: Final = """
INSERT INTO registered_models (tenant_no, workspace_id, name, description, created_at, updated_at,
                               version, owner)
SELECT $1, $2, $3, $4, t.ms, t.ms, 1, $5
FROM (SELECT (extract(epoch FROM now()) * 1000)::bigint AS ms) AS t
ON CONFLICT (tenant_no, workspace_id, name) DO NOTHING
RETURNING model_no
"""
# After the insert: only then is it sure to see what a concurrent deletion of the name left.
_FURNISH: Final = """
WITH tags AS (
    INSERT INTO registered_model_tags (tenant_no, model_no, key, value)
    SELECT $1, $2, key, value FROM unnest($5::text[], $6::text[]) AS t (key, value)
)
UPDATE registered_models SET version = r.version + 1, floor = r.version
FROM (SELECT coalesce(max(version), 0) AS version FROM retired_names
      WHERE tenant_no = $1 AND workspace_id = $3 AND name = $4) AS r
WHERE tenant_no = $1 AND model_no = $2
RETURNING registered_models.version, floor
"""
_DESCRIBE: Final = """
UPDATE registered_models SET description = $3, version = $4,
       updated_at = (extract(epoch FROM now()) * 1000)::bigint
WHERE tenant_no = $1 AND model_no = $2
"""
_TOUCH: Final = """
UPDATE registered_models SET version = $3, floor = greatest(floor, $4),
       updated_at = (extract(epoch FROM now()) * 1000)::bigint
WHERE tenant_no = $1 AND model_no = $2
"""
_SET_TAG: Final = """
WITH changed AS (
    UPDATE registered_models SET version = $5 WHERE tenant_no = $1 AND model_no = $2
)
INSERT INTO registered_model_tags (tenant_no, model_no, key, value) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_no, model_no, key) DO UPDATE SET value = excluded.value
"""
_DELETE_TAG: Final = """
WITH changed AS (
    UPDATE registered_models SET version = $4 WHERE tenant_no = $1 AND model_no = $2
)
DELETE FROM registered_model_tags WHERE tenant_no = $1 AND model_no = $2 AND key = $3
"""
_SET_ALIAS: Final = """
WITH changed AS (
    UPDATE registered_models SET version = $5 WHERE tenant_no = $1 AND model_no = $2
)
INSERT INTO registered_model_aliases (tenant_no, model_no, alias, number) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_no, model_no, alias) DO UPDATE SET number = excluded.number
"""
_DELETE_ALIAS: Final = """
WITH changed AS (
    UPDATE registered_models SET version = $4 WHERE tenant_no = $1 AND model_no = $2
)
DELETE FROM registered_model_aliases WHERE tenant_no = $1 AND model_no = $2 AND alias = $3
"""
_RENAME: Final = """
UPDATE registered_models SET name = $3, updated_at = (extract(epoch FROM now()) * 1000)::bigint
WHERE tenant_no = $1 AND model_no = $2
"""
# After the rename, for the same reason as above.
_RAISE: Final = """
UPDATE registered_models AS m
SET version = greatest(m.version, r.version) + 1, floor = greatest(m.floor, r.version)
FROM (SELECT coalesce(max(version), 0) AS version FROM retired_names
      WHERE tenant_no = $1 AND workspace_id = $3 AND name = $4) AS r
WHERE m.tenant_no = $1 AND m.model_no = $2
RETURNING m.version, m.floor
"""
_RETIRE: Final = """
INSERT INTO retired_names (tenant_no, workspace_id, name, version) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_no, workspace_id, name)
DO UPDATE SET version = greatest(retired_names.version, excluded.version)
"""
_GIVE: Final = """
UPDATE registered_models SET owner = $3, version = $4 WHERE tenant_no = $1 AND model_no = $2
"""
_DELETE: Final = "DELETE FROM registered_models WHERE tenant_no = $1 AND model_no = $2"


async def lock(connection: Connection, principal: Principal, name: str) -> Model | None:
    """The workspace's model of this name, locked against other writers, its belongings not loaded.

    None when there is none.
    """
    row = await connection.fetchrow(_LOCK, principal.tenant_no, principal.workspace_id, name)
    return None if row is None else Model(**dict(row))


async def furnish(connection: Connection, principal: Principal, model: Model) -> None:
    """Load the tags and aliases of a locked model."""
    held = await connection.fetchrow(_BELONGINGS, principal.tenant_no, model.model_no)
    tags, aliases = (held["tags"], held["aliases"]) if held else (None, None)
    model.tags = msgspec.json.decode(tags or "{}")
    model.aliases = msgspec.json.decode(aliases or "{}")


async def add(
    connection: Connection,
    principal: Principal,
    name: str,
    description: str | None,
    tags: dict[str, str],
) -> Model | None:
    """A new model, which the caller owns; None when the name is taken."""
    tenant_no, workspace_id = principal.tenant_no, principal.workspace_id
    model_no = await connection.fetchval(
        _INSERT, tenant_no, workspace_id, name, description, principal.subject
    )
    if model_no is None:
        return None
    row = await connection.fetchrow(
        _FURNISH, tenant_no, model_no, workspace_id, name, list(tags), list(tags.values())
    )
    if row is None:
        raise RuntimeError("a model that was just inserted is gone")
    return Model(
        model_no=model_no,
        workspace_id=workspace_id,
        name=name,
        description=description,
        version=row["version"],
        floor=row["floor"],
        owner=principal.subject,
        tags=tags,
    )


async def describe(
    connection: Connection, principal: Principal, model: Model, description: str | None
) -> None:
    """Give a model another description."""
    model.description = description
    model.version += 1
    await connection.execute(
        _DESCRIBE, principal.tenant_no, model.model_no, description, model.version
    )


async def give(connection: Connection, principal: Principal, model: Model, owner: str) -> None:
    """Give a model another owner."""
    model.owner = owner
    model.version += 1
    await connection.execute(_GIVE, principal.tenant_no, model.model_no, owner, model.version)


async def touch(connection: Connection, principal: Principal, model: Model) -> None:
    """Keep the time of a change below the model, with the version and floor it has now."""
    await connection.execute(
        _TOUCH, principal.tenant_no, model.model_no, model.version, model.floor
    )


async def set_tag(
    connection: Connection, principal: Principal, model: Model, key: str, value: str
) -> None:
    """Set one tag."""
    model.tags[key] = value
    model.version += 1
    await connection.execute(
        _SET_TAG, principal.tenant_no, model.model_no, key, value, model.version
    )


async def delete_tag(connection: Connection, principal: Principal, model: Model, key: str) -> None:
    """Remove one tag that is there."""
    del model.tags[key]
    model.version += 1
    await connection.execute(_DELETE_TAG, principal.tenant_no, model.model_no, key, model.version)


async def set_alias(
    connection: Connection, principal: Principal, model: Model, alias: str, number: int
) -> None:
    """Point an alias at a version that is there."""
    model.aliases[alias] = number
    model.version += 1
    await connection.execute(
        _SET_ALIAS, principal.tenant_no, model.model_no, alias, number, model.version
    )


async def delete_alias(
    connection: Connection, principal: Principal, model: Model, alias: str
) -> None:
    """Remove one alias that is there."""
    del model.aliases[alias]
    model.version += 1
    await connection.execute(
        _DELETE_ALIAS, principal.tenant_no, model.model_no, alias, model.version
    )


async def rename(connection: Connection, principal: Principal, model: Model, new_name: str) -> None:
    """Give a model another name; asyncpg's UniqueViolationError when that one is taken."""
    tenant_no, workspace_id = principal.tenant_no, principal.workspace_id
    await connection.execute(_RENAME, tenant_no, model.model_no, new_name)
    row = await connection.fetchrow(_RAISE, tenant_no, model.model_no, workspace_id, new_name)
    if row is None:
        raise RuntimeError("a locked model is gone")
    model.name, model.version, model.floor = new_name, row["version"], row["floor"]


async def retire(connection: Connection, principal: Principal, name: str, version: int) -> None:
    """Remember the greatest version told under a name that ends here."""
    await connection.execute(_RETIRE, principal.tenant_no, principal.workspace_id, name, version)


async def remove(connection: Connection, principal: Principal, model: Model) -> None:
    """Delete a model with its versions, tags and aliases."""
    await connection.execute(_DELETE, principal.tenant_no, model.model_no)
