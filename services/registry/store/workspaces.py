"""Moves what a deleted workspace holds to the default one, model by model; the caller commits."""

from typing import Final

from libs.common.database import Connection
from libs.common.workspaces import DEFAULT_ID

_NEXT: Final = """
SELECT name FROM registered_models WHERE tenant_no = $1 AND workspace_id = $2 ORDER BY name LIMIT 1
"""
_IS_TAKEN: Final = """
SELECT EXISTS (SELECT FROM registered_models
               WHERE tenant_no = $1 AND workspace_id = $2 AND name = $3)
"""
_MOVE: Final = """
WITH versions AS (
    UPDATE model_versions SET workspace_id = $3 WHERE tenant_no = $1 AND model_no = $2
)
UPDATE registered_models SET workspace_id = $3, name = $4 WHERE tenant_no = $1 AND model_no = $2
"""


async def next_name(connection: Connection, tenant_no: int, workspace_id: int) -> str | None:
    """The first model of a workspace by name, None when no more are left."""
    found: str | None = await connection.fetchval(_NEXT, tenant_no, workspace_id)
    return found


async def is_taken(connection: Connection, tenant_no: int, name: str) -> bool:
    """Whether a model of the default workspace has a name."""
    return bool(await connection.fetchval(_IS_TAKEN, tenant_no, DEFAULT_ID, name))


async def move(connection: Connection, tenant_no: int, model_no: int, name: str) -> None:
    """Bring a model and its versions into the default workspace, under a name that is free."""
    await connection.execute(_MOVE, tenant_no, model_no, DEFAULT_ID, name)
