"""Saves workspaces on a connection; the caller commits."""

from typing import Final

from asyncpg import Record

from libs.common.database import Connection
from libs.common.workspaces import DEFAULT_ID, DEFAULT_NAME
from services.auth.model.workspaces import Workspace

_NEXT: Final = """
UPDATE tenants SET last_workspace_id = last_workspace_id + 1 WHERE tenant_no = $1
RETURNING last_workspace_id
"""
_ADD: Final = """
INSERT INTO workspaces (tenant_no, workspace_id, name, description) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
RETURNING workspace_id, name, description, status, version
"""
_DESCRIBE: Final = """
UPDATE workspaces SET description = $3, version = version + 1
WHERE tenant_no = $1 AND workspace_id = $2 AND status = 'active'
RETURNING workspace_id, name, description, status, version
"""
_LEAVE: Final = """
UPDATE workspaces SET status = 'deleting', version = version + 1
WHERE tenant_no = $1 AND workspace_id = $2 AND status = 'active'
RETURNING workspace_id, name, description, status, version
"""
# A service may say it twice, and says it before or after the others.
_CLEARED: Final = """
UPDATE workspaces SET cleared_by = array_append(array_remove(cleared_by, $3::text), $3::text)
WHERE tenant_no = $1 AND workspace_id = $2 AND status = 'deleting'
"""
_GONE: Final = """
UPDATE workspaces SET status = 'deleted', version = version + 1
WHERE tenant_no = $1 AND workspace_id = $2 AND status = 'deleting' AND cleared_by @> $3::text[]
RETURNING workspace_id, name, description, status, version
"""


async def add_default_workspace(connection: Connection, tenant_no: int) -> Workspace | None:
    """A tenant's `default` workspace; None when it was there. The transaction is the tenant's."""
    row = await connection.fetchrow(_ADD, tenant_no, DEFAULT_ID, DEFAULT_NAME, None)
    return None if row is None else _workspace(row)


async def add_workspace(
    connection: Connection, tenant_no: int, name: str, description: str | None
) -> Workspace | None:
    """A new workspace with the tenant's next number; None when its name is taken."""
    number = await connection.fetchval(_NEXT, tenant_no)
    row = await connection.fetchrow(_ADD, tenant_no, number, name, description)
    return None if row is None else _workspace(row)


async def describe_workspace(
    connection: Connection, tenant_no: int, workspace_id: int, description: str
) -> Workspace | None:
    """Another description; None when the workspace is not there any more."""
    row = await connection.fetchrow(_DESCRIBE, tenant_no, workspace_id, description)
    return None if row is None else _workspace(row)


async def begin_leaving(
    connection: Connection, tenant_no: int, workspace_id: int
) -> Workspace | None:
    """Nobody enters it any more; None when somebody else deletes it already."""
    row = await connection.fetchrow(_LEAVE, tenant_no, workspace_id)
    return None if row is None else _workspace(row)


async def note_cleared(
    connection: Connection, tenant_no: int, workspace_id: int, by: str, everybody: list[str]
) -> Workspace | None:
    """Nothing is left of it in one service; the workspace, where that was the last of them."""
    await connection.execute(_CLEARED, tenant_no, workspace_id, by)
    row = await connection.fetchrow(_GONE, tenant_no, workspace_id, everybody)
    return None if row is None else _workspace(row)


def _workspace(row: Record) -> Workspace:
    return Workspace(**dict(row))
