"""Reads: grants by id, by what they say, and those of a member or below a target."""

from typing import Final
from uuid import UUID

from asyncpg import Record

from libs.common.database import Connection
from libs.common.errors import missing
from services.auth.model.grants import NewGrant, StoredGrant, Target

# Told again by `republish`: tenant number, last id told, page size.
LIVING: Final = """
SELECT g.grant_id::text AS id, g.grant_id, g.user_id, u.kind AS user_kind, u.login, g.effect,
       g.role, g.permissions, g.kind, g.workspace_id, g.pattern, g.reason, g.granted_by,
       g.created_at, g.expires_at, g.version
FROM grants g JOIN users u ON u.user_id = g.user_id
WHERE g.tenant_no = $1 AND g.grant_id::text > $2 AND (g.expires_at IS NULL OR g.expires_at > now())
ORDER BY g.grant_id::text LIMIT $3
"""
_ONE: Final = """
SELECT g.grant_id, g.user_id, u.kind AS user_kind, u.login, g.effect, g.role, g.permissions,
       g.kind, g.workspace_id, g.pattern, g.reason, g.granted_by, g.created_at, g.expires_at,
       g.version
FROM grants g JOIN users u ON u.user_id = g.user_id
WHERE g.tenant_no = $1 AND g.grant_id = $2
  AND ($3::bool OR g.expires_at IS NULL OR g.expires_at > now())
"""
_ALIKE: Final = """
SELECT grant_id FROM grants
WHERE tenant_no = $1 AND user_id = $2 AND effect = $3 AND role IS NOT DISTINCT FROM $4
  AND permissions = $5 AND kind = $6 AND workspace_id = $7 AND pattern = $8
ORDER BY created_at, grant_id LIMIT 1
"""
# Those that have ended too.
_OF_MEMBER: Final = """
SELECT g.grant_id, g.user_id, u.kind AS user_kind, u.login, g.effect, g.role, g.permissions,
       g.kind, g.workspace_id, g.pattern, g.reason, g.granted_by, g.created_at, g.expires_at,
       g.version
FROM grants g JOIN users u ON u.user_id = g.user_id
WHERE g.tenant_no = $1 AND g.user_id = $2 ORDER BY g.grant_id
"""
_DENIED: Final = """
SELECT grant_id FROM grants
WHERE tenant_no = $1 AND user_id = $2 AND effect = 'deny'
  AND (expires_at IS NULL OR expires_at > now())
ORDER BY created_at, grant_id
"""
# What lies below a target: its own kind and place, and patterns that begin as it does.
_PAGE: Final = """
SELECT g.grant_id, g.user_id, u.kind AS user_kind, u.login, g.effect, g.role, g.permissions,
       g.kind, g.workspace_id, g.pattern, g.reason, g.granted_by, g.created_at, g.expires_at,
       g.version
FROM grants g JOIN users u ON u.user_id = g.user_id
WHERE g.tenant_no = $1 AND g.grant_id::text > $2 AND (g.expires_at IS NULL OR g.expires_at > now())
  AND ($4::uuid IS NULL OR g.user_id = $4)
  AND ($5::text IS NULL OR (g.kind = $5 AND g.workspace_id = $6
       AND (g.pattern = $7 OR (right($7, 1) = '*' AND starts_with(g.pattern, left($7, -1))))))
ORDER BY g.grant_id::text LIMIT $3
"""


async def grant_by_id(
    connection: Connection, tenant_no: int, grant_id: UUID, *, expired: bool = False
) -> StoredGrant:
    """One living grant, or with `expired` one that has ended; refused as missing where none is."""
    row = await connection.fetchrow(_ONE, tenant_no, grant_id, expired)
    if row is None:
        raise no_grant(grant_id)
    return stored_grant(row)


async def grant_like(
    connection: Connection, tenant_no: int, user_id: UUID, new: NewGrant
) -> StoredGrant | None:
    """The grant that says the same of a member, whatever its end; None when there is none."""
    grant_id = await connection.fetchval(
        _ALIKE,
        tenant_no,
        user_id,
        new.effect,
        new.role,
        new.permissions,
        new.target.kind,
        new.target.workspace_id,
        new.target.pattern,
    )
    if grant_id is None:
        return None
    return await grant_by_id(connection, tenant_no, grant_id, expired=True)


async def grants_of(connection: Connection, tenant_no: int, user_id: UUID) -> list[StoredGrant]:
    """All that was granted or denied to a member, what has ended too."""
    rows = await connection.fetch(_OF_MEMBER, tenant_no, user_id)
    return [stored_grant(row) for row in rows]


async def denials_of(connection: Connection, tenant_no: int, user_id: UUID) -> list[UUID]:
    """The grants that deny a member something now."""
    rows = await connection.fetch(_DENIED, tenant_no, user_id)
    return [row["grant_id"] for row in rows]


async def grants_page(
    connection: Connection,
    tenant_no: int,
    after: str,
    limit: int,
    user_id: UUID | None,
    target: Target | None,
) -> list[StoredGrant]:
    """Living grants in the order of their ids: of a member, below a target, or all."""
    place = target or Target("tenant")
    rows = await connection.fetch(
        _PAGE,
        tenant_no,
        after,
        limit,
        user_id,
        None if target is None else place.kind,
        place.workspace_id,
        place.pattern,
    )
    return [stored_grant(row) for row in rows]


def stored_grant(row: Record) -> StoredGrant:
    """A row of these queries as a grant."""
    known = {name: row[name] for name in StoredGrant.__slots__}
    return StoredGrant(**{**known, "permissions": tuple(row["permissions"])})


def no_grant(grant_id: UUID) -> Exception:
    """The refusal of a grant that is not there, or not there for this caller."""
    return missing(f"Grant {grant_id} not found")
