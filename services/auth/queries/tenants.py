"""Reads: tenants as the platform's operator sees them, and the operator's own credential."""

from typing import Final
from uuid import UUID

from libs.common.contracts.plans import FIRST_PLAN
from libs.common.database import Connection, Database
from services.auth.model.credential import (
    ALL_SCOPES,
    FIRST_WORKSPACE,
    NO_TENANT,
    Credential,
    operator_actor,
)
from services.auth.model.members import Tenant

_OPERATOR: Final = """
SELECT operator_id, coalesce(last_used_at < now() - interval '1 minute', true) AS last_use_is_stale
FROM operators WHERE digest = $1
"""


async def tenants_page(connection: Connection, after: str, limit: int) -> list[Tenant]:
    """Tenants by name from behind `after`."""
    rows = await connection.fetch(
        """
        SELECT tenant_no, tenant_id, name, plan, status, version, created_at
        FROM tenants WHERE name > $1 ORDER BY name LIMIT $2
        """,
        after,
        limit,
    )
    return [Tenant(**dict(row)) for row in rows]


async def tenant_named(connection: Connection, name: str) -> Tenant | None:
    """The tenant of that name; None where there is none."""
    row = await connection.fetchrow(
        """
        SELECT tenant_no, tenant_id, name, plan, status, version, created_at
        FROM tenants WHERE name = $1
        """,
        name,
    )
    return None if row is None else Tenant(**dict(row))


async def operator_credential(database: Database, digest: bytes) -> Credential | None:
    """The credential of an operator by its token's digest; None when it is not there."""
    row = await database.fetchrow(_OPERATOR, digest)
    if row is None:
        return None
    operator_id: UUID = row["operator_id"]
    return Credential(
        tenant_no=0,
        tenant_id=NO_TENANT,
        tenant_status="active",
        plan=FIRST_PLAN,
        access_version=0,
        user_id=operator_id,
        user_kind="operator",
        user_status="active",
        membership_status="active",
        actor=operator_actor(operator_id, digest),
        workspace_id=FIRST_WORKSPACE,
        scopes=ALL_SCOPES,
        networks=(),
        expires_at=None,
        expired=False,
        revoked=False,
        last_use_is_stale=row["last_use_is_stale"],
    )
