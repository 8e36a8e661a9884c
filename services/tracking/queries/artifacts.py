"""Artifacts as rows: whose they are, which content a path holds, and what lies in a folder."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from libs.common.database import Connection, Database
from services.tracking.model.contents import Content, Stored

_STAGE: Final = "SELECT artifact_owner_stage($1, $2, $3, $4, $5)"
_RUN: Final = """
SELECT artifact_uri FROM runs WHERE tenant_no = $1 AND workspace_id = $2 AND run_id = $3
"""
_AT: Final = "SELECT object_key, sha256, size FROM artifact_at($1, $2, $3)"
_IN: Final = "SELECT name, size FROM artifacts_in($1, $2, $3)"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a listing; a folder has no size."""

    name: str
    is_folder: bool
    size: int | None = None


async def owner_stage(
    database: Database,
    tenant_no: int,
    workspace_id: int,
    kind: str,
    experiment_id: int,
    owner_id: UUID,
) -> str | None:
    """The lifecycle stage of a run or logged model, None when there is none; one round trip."""
    stage: str | None = await database.fetchval(
        _STAGE, tenant_no, workspace_id, kind, experiment_id, owner_id
    )
    return stage


async def run_artifact_uri(
    connection: Connection, tenant_no: int, workspace_id: int, run_id: UUID
) -> str | None:
    """Where the artifacts of a run in any lifecycle stage lie; None when there is none."""
    found: str | None = await connection.fetchval(_RUN, tenant_no, workspace_id, run_id)
    return found


async def stored_at(
    database: Database, tenant_no: int, workspace_id: int, path: str
) -> Stored | None:
    """What the file at a path holds, None when there is none; one round trip."""
    row = await database.fetchrow(_AT, tenant_no, workspace_id, path)
    if row is None:
        return None
    return Stored(Content(row["sha256"], row["size"]), row["object_key"])


async def entries(
    database: Database, tenant_no: int, workspace_id: int, folder: str
) -> list[Entry]:
    """What lies directly below a folder, by name; nothing for a file or an absent folder."""
    rows = await database.fetch(_IN, tenant_no, workspace_id, folder)
    found = [Entry(row["name"], row["size"] is None, row["size"]) for row in rows]
    return sorted(found, key=lambda entry: entry.name)
