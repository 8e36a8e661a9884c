"""Whose artifacts a folder holds, and where those of a run lie."""

from typing import Final
from uuid import UUID

from libs.common.database import Connection, Database

_STAGE: Final = "SELECT artifact_owner_stage($1, $2, $3, $4, $5)"
_RUN: Final = """
SELECT artifact_uri FROM runs WHERE tenant_no = $1 AND workspace_id = $2 AND run_id = $3
"""


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
