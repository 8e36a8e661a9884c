"""Saves passwords; the caller commits."""

from uuid import UUID

from libs.common.database import Connection


async def set_password(
    connection: Connection, user_id: UUID, password_hash: str, before: int
) -> bool:
    """Store a password in the place of the one of version `before`; whether it was still that."""
    found = await connection.fetchval(
        """
        UPDATE users SET password_hash = $2, password_version = password_version + 1
        WHERE user_id = $1 AND password_version = $3
        RETURNING true
        """,
        user_id,
        password_hash,
        before,
    )
    return bool(found)


async def touch_member(connection: Connection, tenant_no: int, user_id: UUID) -> None:
    """Count a member's version up, for a fact about them."""
    await connection.execute(
        "UPDATE memberships SET version = version + 1 WHERE tenant_no = $1 AND user_id = $2",
        tenant_no,
        user_id,
    )
