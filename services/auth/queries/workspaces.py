"""Reads: a tenant's workspaces, one by name, and whether one is still being cleared."""

from typing import Final

from libs.common.database import Connection
from libs.common.workspaces import DEFAULT_ID
from services.auth.model.workspaces import Workspace

_ACTIVE: Final = """
SELECT workspace_id, name, description, status, version FROM workspaces
WHERE tenant_no = $1 AND status = 'active' ORDER BY name
"""
_NAMED: Final = """
SELECT workspace_id, name, description, status, version FROM workspaces
WHERE tenant_no = $1 AND status = 'active' AND name = $2
"""
# Told again by `republish`: tenant number, last id told, page size.
LIVING_WORKSPACES: Final = """
SELECT workspace_id::text AS id, workspace_id, name, description, status, version FROM workspaces
WHERE tenant_no = $1 AND status <> 'deleted' AND workspace_id > coalesce(nullif($2, '')::int4, 0)
ORDER BY workspace_id LIMIT $3
"""


async def active_workspaces(connection: Connection, tenant_no: int) -> list[Workspace]:
    """All workspaces that can be entered, by name."""
    rows = await connection.fetch(_ACTIVE, tenant_no)
    return [Workspace(**dict(row)) for row in rows]


async def active_workspace(connection: Connection, tenant_no: int, name: str) -> Workspace | None:
    """The workspace of a name that can be entered, None where there is none."""
    row = await connection.fetchrow(_NAMED, tenant_no, name)
    return None if row is None else Workspace(**dict(row))


async def workspaces_held(connection: Connection, tenant_no: int) -> int:
    """How many workspaces a tenant has, the first and those that are still being cleared too."""
    others = await connection.fetchval(
        """
        SELECT count(*) FROM workspaces
        WHERE tenant_no = $1 AND workspace_id <> $2 AND status <> 'deleted'
        """,
        tenant_no,
        DEFAULT_ID,
    )
    return int(others) + 1


async def stands(connection: Connection, tenant_no: int, workspace_id: int) -> bool:
    """Whether there is a workspace of a number that can be entered; the first always is."""
    found = await connection.fetchval(
        """
        SELECT true FROM workspaces
        WHERE tenant_no = $1 AND workspace_id = $2 AND status = 'active'
        """,
        tenant_no,
        workspace_id,
    )
    return bool(found) or workspace_id == DEFAULT_ID


async def is_cleared(connection: Connection, tenant_no: int, workspace_id: int) -> bool:
    """Whether nothing is left anywhere of a workspace that was deleted."""
    status = await connection.fetchval(
        "SELECT status FROM workspaces WHERE tenant_no = $1 AND workspace_id = $2",
        tenant_no,
        workspace_id,
    )
    return bool(status == "deleted")
