"""Saves users and memberships on a connection; the caller commits."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from libs.common.database import Connection
from services.auth.model.members import Member

_ADD_USER: Final = """
INSERT INTO users (user_id, login, kind, display_name, password_hash) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING user_id
"""
# A removed member's row is still there, with the version it had.
_JOIN: Final = """
INSERT INTO memberships AS m (tenant_no, user_id, role) VALUES ($1, $2, $3)
ON CONFLICT (tenant_no, user_id) DO UPDATE
SET role = excluded.role, status = 'active', version = m.version + 1, created_at = now()
WHERE m.status = 'removed'
RETURNING user_id
"""
_OWNERS: Final = """
SELECT m.user_id FROM memberships m JOIN users u ON u.user_id = m.user_id
WHERE m.tenant_no = $1 AND m.role = 'owner' AND m.status = 'active' AND u.status = 'active'
  AND u.kind = 'person'
ORDER BY m.user_id FOR UPDATE OF m
"""
_RENAME_ACCOUNTS: Final = """
WITH renamed AS (
    UPDATE users u SET login = $3 || substr(u.login, length($2) + 1)
    FROM memberships m
    WHERE m.tenant_no = $1 AND m.user_id = u.user_id AND u.kind = 'service'
      AND starts_with(u.login, $2 || '/')
    RETURNING u.user_id
)
UPDATE memberships m SET version = m.version + 1 FROM renamed r
WHERE m.tenant_no = $1 AND m.user_id = r.user_id AND m.status <> 'removed'
RETURNING m.user_id
"""


async def add_user(
    connection: Connection,
    user_id: UUID,
    login: str,
    *,
    kind: str = "person",
    display_name: str = "",
    password_hash: str | None = None,
) -> bool:
    """Add a user; False where the login is taken."""
    added = await connection.fetchval(_ADD_USER, user_id, login, kind, display_name, password_hash)
    return added is not None


async def join(connection: Connection, tenant_no: int, user_id: UUID, role: str | None) -> bool:
    """Make a user a member, or a removed one again; False where it is one."""
    return await connection.fetchval(_JOIN, tenant_no, user_id, role) is not None


async def active_owners(connection: Connection, tenant_no: int) -> list[UUID]:
    """The persons who own a tenant and may act, held until COMMIT so that one stays."""
    return [row["user_id"] for row in await connection.fetch(_OWNERS, tenant_no)]


async def set_status(
    connection: Connection, tenant_no: int, member: Member, status: str
) -> Member | None:
    """Store a member's status, a removed one without its role; None where it stood so before."""
    version = await connection.fetchval(
        """
        UPDATE memberships
        SET status = $3, role = CASE WHEN $3 = 'removed' THEN NULL ELSE role END,
            version = version + 1
        WHERE tenant_no = $1 AND user_id = $2 AND status NOT IN ($3, 'removed')
        RETURNING version
        """,
        tenant_no,
        member.user_id,
        status,
    )
    if version is None:
        return None
    return replace(member, status=status, version=version)


async def drop_grants(connection: Connection, tenant_no: int, user_id: UUID) -> None:
    """Delete what was granted and denied to a member."""
    await connection.execute(
        "DELETE FROM grants WHERE tenant_no = $1 AND user_id = $2", tenant_no, user_id
    )


async def free_login(connection: Connection, user_id: UUID) -> None:
    """Let another take a removed service account's name, without taking its place."""
    await connection.execute(
        "UPDATE users SET login = login || '~' || user_id::text WHERE user_id = $1", user_id
    )


async def rename_accounts(
    connection: Connection, tenant_no: int, before: str, after: str
) -> list[UUID]:
    """Let the logins of service accounts follow their tenant's name; the members among them."""
    rows = await connection.fetch(_RENAME_ACCOUNTS, tenant_no, before, after)
    return [row["user_id"] for row in rows]
