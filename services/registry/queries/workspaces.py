"""What a workspace holds, for whoever is about to delete it."""

from typing import Final

from libs.common.database import Connection
from libs.common.workspaces import DEFAULT_ID, MOST_CLASHES, Contents

_COUNT: Final = """
SELECT count(*) FROM registered_models WHERE tenant_no = $1 AND workspace_id = $2
"""
_CLASHES: Final = """
SELECT m.name FROM registered_models m
JOIN registered_models d ON d.tenant_no = m.tenant_no AND d.workspace_id = $3 AND d.name = m.name
WHERE m.tenant_no = $1 AND m.workspace_id = $2 ORDER BY m.name LIMIT $4
"""


async def contents(connection: Connection, tenant_no: int, workspace_id: int) -> Contents:
    """The registered models and prompts of a workspace."""
    count = await connection.fetchval(_COUNT, tenant_no, workspace_id)
    rows = await connection.fetch(_CLASHES, tenant_no, workspace_id, DEFAULT_ID, MOST_CLASHES)
    return Contents("registered_models", count, [row["name"] for row in rows])
