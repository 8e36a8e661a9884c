"""Saves roles, grants and the versions of members' access on a connection; the caller commits."""

from uuid import UUID

from libs.common.database import Connection


async def raise_version(connection: Connection, tenant_no: int, user_id: UUID) -> None:
    """Count a member's access version up; principals minted before are of an older one."""
    await connection.execute(
        """
        UPDATE memberships SET access_version = access_version + 1
        WHERE tenant_no = $1 AND user_id = $2
        """,
        tenant_no,
        user_id,
    )
