"""Saves passwords; the caller commits."""

from dataclasses import dataclass
from uuid import UUID

from libs.common.database import Connection


@dataclass(frozen=True, slots=True)
class StoredMember:
    """A member's state after a write, as the fact about it carries it."""

    user_id: UUID
    login: str
    role: str
    status: str
    version: int


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


async def touch_member(connection: Connection, tenant_no: int, user_id: UUID) -> StoredMember:
    """Count a member's version up, for a fact about them."""
    row = await connection.fetchrow(
        """
        UPDATE memberships m SET version = m.version + 1
        FROM users u
        WHERE m.tenant_no = $1 AND m.user_id = $2 AND u.user_id = m.user_id
        RETURNING m.user_id, u.login, coalesce(m.role, '') AS role, m.status, m.version
        """,
        tenant_no,
        user_id,
    )
    assert row is not None
    return StoredMember(**dict(row))
