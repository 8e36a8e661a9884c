"""Reads: pages of members, with no more of them than decisions need."""

from typing import Final

from libs.common.database import Connection
from services.auth.model.subjects import Subject

_PAGE: Final = """
SELECT m.user_id, u.kind, u.login, u.display_name, m.role, m.status, m.version
FROM memberships m JOIN users u ON u.user_id = m.user_id
WHERE m.tenant_no = $1 AND m.status <> 'removed' AND u.login COLLATE "C" > $2
ORDER BY u.login COLLATE "C" LIMIT $3
"""


async def subjects_page(
    connection: Connection, tenant_no: int, after: str, limit: int
) -> list[Subject]:
    """Members in the order of their logins, from the first behind `after` on."""
    rows = await connection.fetch(_PAGE, tenant_no, after, limit)
    return [Subject(**dict(row)) for row in rows]
