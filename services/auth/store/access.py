"""Saves roles, grants and the versions of members' access on a connection; the caller commits."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from libs.common.database import Connection
from services.auth.model.grants import NewGrant


async def raise_versions(connection: Connection, tenant_no: int, user_ids: Sequence[UUID]) -> None:
    """Count members' access versions up; principals minted before are of an older one."""
    await connection.execute(
        """
        UPDATE memberships SET access_version = access_version + 1
        WHERE tenant_no = $1 AND user_id = ANY($2)
        """,
        tenant_no,
        user_ids,
    )


async def raise_all_versions(connection: Connection, tenant_no: int) -> None:
    """Count the access versions of all members of a tenant up."""
    await connection.execute(
        "UPDATE memberships SET access_version = access_version + 1 WHERE tenant_no = $1", tenant_no
    )


async def define_role(
    connection: Connection, tenant_no: int, name: str, description: str, permissions: Sequence[str]
) -> int | None:
    """Add a role, or bring back a deleted one; its version, None where the name is taken."""
    version: int | None = await connection.fetchval(
        """
        INSERT INTO roles AS r (tenant_no, name, description, permissions)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_no, name) DO UPDATE
        SET description = excluded.description, permissions = excluded.permissions,
            version = r.version + 1, created_at = now(), deleted_at = NULL
        WHERE r.deleted_at IS NOT NULL
        RETURNING version
        """,
        tenant_no,
        name,
        description,
        permissions,
    )
    return version


async def change_role(
    connection: Connection, tenant_no: int, name: str, description: str, permissions: Sequence[str]
) -> int:
    """Give a role another description and other permissions; its version."""
    version: int = await connection.fetchval(
        """
        UPDATE roles SET description = $3, permissions = $4, version = version + 1
        WHERE tenant_no = $1 AND name = $2 AND deleted_at IS NULL
        RETURNING version
        """,
        tenant_no,
        name,
        description,
        permissions,
    )
    return version


async def delete_role(connection: Connection, tenant_no: int, name: str) -> int:
    """Put a role away; its version."""
    version: int = await connection.fetchval(
        """
        UPDATE roles SET deleted_at = now(), version = version + 1
        WHERE tenant_no = $1 AND name = $2 AND deleted_at IS NULL
        RETURNING version
        """,
        tenant_no,
        name,
    )
    return version


async def give_role(connection: Connection, tenant_no: int, user_id: UUID, role: str | None) -> int:
    """Give a member a role, or none; the membership's version."""
    version: int = await connection.fetchval(
        """
        UPDATE memberships SET role = $3, version = version + 1
        WHERE tenant_no = $1 AND user_id = $2
        RETURNING version
        """,
        tenant_no,
        user_id,
        role,
    )
    return version


async def add_grant(
    connection: Connection, tenant_no: int, user_id: UUID, new: NewGrant, granted_by: str
) -> UUID:
    """Store a grant; its id."""
    grant_id = uuid4()
    await connection.execute(
        """
        INSERT INTO grants (tenant_no, grant_id, user_id, effect, role, permissions, kind,
                            workspace_id, pattern, reason, granted_by, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        tenant_no,
        grant_id,
        user_id,
        new.effect,
        new.role,
        new.permissions,
        new.target.kind,
        new.target.workspace_id,
        new.target.pattern,
        new.reason,
        granted_by,
        new.expires_at,
    )
    return grant_id


async def prolong_grant(
    connection: Connection,
    tenant_no: int,
    grant_id: UUID,
    expires_at: datetime | None,
    reason: str,
    granted_by: str,
) -> None:
    """Let a grant end later, or never."""
    await connection.execute(
        """
        UPDATE grants SET expires_at = $3, reason = $4, granted_by = $5, version = version + 1
        WHERE tenant_no = $1 AND grant_id = $2
        """,
        tenant_no,
        grant_id,
        expires_at,
        reason,
        granted_by,
    )


async def remove_grant(connection: Connection, tenant_no: int, grant_id: UUID) -> None:
    """Take a grant back."""
    await connection.execute(
        "DELETE FROM grants WHERE tenant_no = $1 AND grant_id = $2", tenant_no, grant_id
    )
