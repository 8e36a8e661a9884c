"""Experiments and their tags."""

from collections.abc import Mapping
from typing import Final

from asyncpg import Record, UniqueViolationError

from libs.common.database import Connection
from services.tracking.model.experiments import (
    DEFAULT_ID,
    DEFAULT_NAME,
    FIRST_WORKSPACE,
    NOBODY,
    Experiment,
    artifact_location,
    name_taken,
)

_INSERT: Final = """
INSERT INTO experiments (tenant_no, experiment_id, workspace_id, name, artifact_location,
                         creation_time, last_update_time, created_by, owner)
SELECT $1, $2, $3, $4, $5, t.now, t.now, $6, $7
FROM (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8 AS now) t
ON CONFLICT DO NOTHING
RETURNING *
"""
_SAVE: Final = """
UPDATE experiments SET name = $3, lifecycle_stage = $4, version = $5,
       last_update_time = (extract(epoch FROM clock_timestamp()) * 1000)::int8
WHERE tenant_no = $1 AND experiment_id = $2
"""


async def next_experiment_id(connection: Connection, tenant_no: int) -> int:
    """The tenant's next experiment id; makers of one tenant wait for each other here."""
    number: int = await connection.fetchval(
        """
        INSERT INTO experiment_counters AS c (tenant_no, last_id) VALUES ($1, 1)
        ON CONFLICT (tenant_no) DO UPDATE SET last_id = c.last_id + 1
        RETURNING last_id
        """,
        tenant_no,
    )
    return number


async def add_experiment(
    connection: Connection,
    tenant_no: int,
    workspace_id: int,
    experiment_id: int,
    name: str,
    created_by: str,
    owner: str,
) -> Experiment | None:
    """A new experiment; None when its name is taken in the workspace."""
    row = await connection.fetchrow(
        _INSERT,
        *(tenant_no, experiment_id, workspace_id, name),
        *(artifact_location(experiment_id), created_by, owner),
    )
    return None if row is None else experiment_of(row)


async def has_default(connection: Connection, tenant_no: int) -> bool:
    """Whether the tenant's `Default` was made."""
    found = await connection.fetchval(
        "SELECT true FROM experiments WHERE tenant_no = $1 AND experiment_id = $2",
        tenant_no,
        DEFAULT_ID,
    )
    return bool(found)


async def add_default(connection: Connection, tenant_no: int, created_by: str) -> Experiment | None:
    """The tenant's `Default`; None when it was there, or somebody else makes it just now."""
    return await add_experiment(
        connection, tenant_no, FIRST_WORKSPACE, DEFAULT_ID, DEFAULT_NAME, created_by, NOBODY
    )


async def experiment_to_change(
    connection: Connection, tenant_no: int, workspace_id: int, experiment_id: int
) -> Experiment | None:
    """The experiment, locked until the transaction ends."""
    row = await connection.fetchrow(
        """
        SELECT * FROM experiments
        WHERE tenant_no = $1 AND experiment_id = $2 AND workspace_id = $3 FOR NO KEY UPDATE
        """,
        tenant_no,
        experiment_id,
        workspace_id,
    )
    return None if row is None else experiment_of(row)


async def save_experiment(connection: Connection, tenant_no: int, experiment: Experiment) -> None:
    """The experiment's name, stage and version, updated now; refuses a name that is taken."""
    try:
        await connection.execute(
            _SAVE,
            *(tenant_no, experiment.experiment_id, experiment.name),
            *(experiment.lifecycle_stage, experiment.version),
        )
    except UniqueViolationError:
        raise name_taken(experiment.name) from None


async def save_version(connection: Connection, tenant_no: int, experiment: Experiment) -> None:
    """The experiment's version alone: MLflow's update time does not move with tags."""
    await connection.execute(
        "UPDATE experiments SET version = $3 WHERE tenant_no = $1 AND experiment_id = $2",
        *(tenant_no, experiment.experiment_id, experiment.version),
    )


async def save_owner(connection: Connection, tenant_no: int, experiment: Experiment) -> None:
    """The experiment's owner and version."""
    await connection.execute(
        """
        UPDATE experiments SET owner = $3, version = $4
        WHERE tenant_no = $1 AND experiment_id = $2
        """,
        *(tenant_no, experiment.experiment_id, experiment.owner, experiment.version),
    )


async def tags_of(connection: Connection, tenant_no: int, experiment_id: int) -> dict[str, str]:
    """An experiment's tags by key."""
    rows = await connection.fetch(
        """
        SELECT key, value FROM experiment_tags
        WHERE tenant_no = $1 AND experiment_id = $2 ORDER BY key
        """,
        *(tenant_no, experiment_id),
    )
    return {row["key"]: row["value"] for row in rows}


async def set_tags(
    connection: Connection, tenant_no: int, experiment_id: int, tags: Mapping[str, str]
) -> None:
    """Set tags, replacing values."""
    await connection.execute(
        """
        INSERT INTO experiment_tags (tenant_no, experiment_id, key, value)
        SELECT $1, $2, u.key, u.value FROM unnest($3::text[], $4::text[]) AS u (key, value)
        ON CONFLICT (tenant_no, experiment_id, key) DO UPDATE SET value = EXCLUDED.value
        """,
        *(tenant_no, experiment_id, list(tags), list(tags.values())),
    )


async def delete_tag(connection: Connection, tenant_no: int, experiment_id: int, key: str) -> bool:
    """Delete a tag; False when there was none."""
    tag = await connection.execute(
        "DELETE FROM experiment_tags WHERE tenant_no = $1 AND experiment_id = $2 AND key = $3",
        *(tenant_no, experiment_id, key),
    )
    return tag != "DELETE 0"


def experiment_of(row: Record) -> Experiment:
    """The experiment in a row of its table."""
    return Experiment(
        experiment_id=row["experiment_id"],
        workspace_id=row["workspace_id"],
        version=row["version"],
        name=row["name"],
        artifact_location=row["artifact_location"],
        lifecycle_stage=row["lifecycle_stage"],
        creation_time=row["creation_time"],
        last_update_time=row["last_update_time"],
        owner=row["owner"],
    )
