"""What a workspace holds, for whoever is about to delete it."""

from typing import Final

from libs.common.database import Connection
from libs.common.workspaces import DEFAULT_ID, MOST_CLASHES, Contents

_COUNT: Final = "SELECT count(*) FROM experiments WHERE tenant_no = $1 AND workspace_id = $2"
_CLASHES: Final = """
SELECT e.name FROM experiments e
JOIN experiments d ON d.tenant_no = e.tenant_no AND d.workspace_id = $3 AND d.name = e.name
WHERE e.tenant_no = $1 AND e.workspace_id = $2 ORDER BY e.name LIMIT $4
"""


async def contents(connection: Connection, tenant_no: int, workspace_id: int) -> Contents:
    """The experiments of a workspace, deleted ones too."""
    count = await connection.fetchval(_COUNT, tenant_no, workspace_id)
    rows = await connection.fetch(_CLASHES, tenant_no, workspace_id, DEFAULT_ID, MOST_CLASHES)
    return Contents("experiments", count, [row["name"] for row in rows])
