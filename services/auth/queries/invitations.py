"""Reads: a tenant's invitations, and one by its code or id."""

from typing import Final
from uuid import UUID

from libs.common.database import Connection, Database
from services.auth.model.invitations import Invited

# Told again by `republish`: tenant number, last id told, page size.
OPEN_INVITATIONS: Final = """
SELECT invitation_id::text AS id, login, coalesce(role, '') AS role, made_by, version,
       (extract(epoch FROM expires_at) * 1000)::int8 AS expires_at
FROM invitations
WHERE tenant_no = $1 AND invitation_id::text > $2
  AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > now()
ORDER BY invitation_id::text LIMIT $3
"""
_PAGE: Final = """
SELECT i.tenant_no, t.tenant_id, t.name AS tenant, i.invitation_id, i.login, i.role, i.made_by,
       i.version, i.created_at, i.expires_at,
       CASE WHEN i.accepted_at IS NOT NULL THEN 'accepted' WHEN i.revoked_at IS NOT NULL
            THEN 'revoked' WHEN i.expires_at <= now() THEN 'expired' ELSE 'open' END AS status
FROM invitations i JOIN tenants t ON t.tenant_no = i.tenant_no
WHERE i.tenant_no = $1 AND i.invitation_id > $2
ORDER BY i.invitation_id LIMIT $3
"""
_ONE: Final = """
SELECT i.tenant_no, t.tenant_id, t.name AS tenant, i.invitation_id, i.login, i.role, i.made_by,
       i.version, i.created_at, i.expires_at,
       CASE WHEN i.accepted_at IS NOT NULL THEN 'accepted' WHEN i.revoked_at IS NOT NULL
            THEN 'revoked' WHEN i.expires_at <= now() THEN 'expired' ELSE 'open' END AS status
FROM invitations i JOIN tenants t ON t.tenant_no = i.tenant_no
WHERE i.tenant_no = $1 AND i.invitation_id = $2
"""


async def whose_code(database: Database, digest: bytes) -> tuple[int, UUID] | None:
    """The tenant and invitation behind a code's digest, None when there is none."""
    row = await database.fetchrow(
        "SELECT tenant_no, invitation_id FROM invitation_codes WHERE digest = $1", digest
    )
    return None if row is None else (row["tenant_no"], row["invitation_id"])


async def invitation(connection: Connection, tenant_no: int, invitation_id: UUID) -> Invited | None:
    """An invitation as it stands; None where there is none of that id."""
    row = await connection.fetchrow(_ONE, tenant_no, invitation_id)
    return None if row is None else Invited(**dict(row))


async def invitations_page(
    connection: Connection, tenant_no: int, after: UUID, limit: int
) -> list[Invited]:
    """A tenant's invitations by id from behind `after`, those that ended too."""
    rows = await connection.fetch(_PAGE, tenant_no, after, limit)
    return [Invited(**dict(row)) for row in rows]


async def open_invitation_of(connection: Connection, tenant_no: int, login: str) -> UUID | None:
    """The invitation that a login may still accept; None where there is none."""
    found: UUID | None = await connection.fetchval(
        """
        SELECT invitation_id FROM invitations
        WHERE tenant_no = $1 AND login = $2
          AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > now()
        """,
        tenant_no,
        login,
    )
    return found


async def tries_of(connection: Connection, tenant_no: int, login: str) -> int:
    """How many passwords were shown for a login with invitations of the last day."""
    found: int = await connection.fetchval(
        """
        SELECT coalesce(sum(tries), 0)::int FROM invitations
        WHERE tenant_no = $1 AND login = $2 AND created_at > now() - interval '1 day'
        """,
        tenant_no,
        login,
    )
    return found
