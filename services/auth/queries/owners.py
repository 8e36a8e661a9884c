"""Reads for the one-off step that leaves another first token: the first tenant and its owner."""

from dataclasses import dataclass
from uuid import UUID

from libs.common.database import Connection, Database


@dataclass(frozen=True, slots=True)
class FirstTenant:
    """The tenant that the installation began with."""

    tenant_id: UUID
    tenant_no: int


async def first_tenant(database: Database) -> FirstTenant | None:
    """The tenant of the lowest number; None before the first start."""
    row = await database.fetchrow(
        "SELECT tenant_id, tenant_no FROM tenants ORDER BY tenant_no LIMIT 1"
    )
    return None if row is None else FirstTenant(**dict(row))


async def eldest_owner(connection: Connection, tenant_no: int) -> UUID | None:
    """The person who is an active owner for longest; None where nobody is."""
    found: UUID | None = await connection.fetchval(
        """
        SELECT m.user_id FROM memberships m JOIN users u ON u.user_id = m.user_id
        WHERE m.tenant_no = $1 AND m.role = 'owner' AND m.status = 'active'
          AND u.status = 'active' AND u.kind = 'person'
        ORDER BY m.created_at, m.user_id LIMIT 1
        """,
        tenant_no,
    )
    return found
