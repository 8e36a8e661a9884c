"""Saves tenants and operators on a connection; the caller commits."""

from uuid import UUID

from libs.common.database import Connection
from services.auth.model.members import Tenant


async def lock_tenant(connection: Connection, tenant_no: int) -> Tenant:
    """A tenant, held until COMMIT: its members, roles and grants change one after another.

    What a caller holds, who the owners are and who has a role can then be relied upon.
    """
    row = await connection.fetchrow(
        """
        SELECT tenant_no, tenant_id, name, plan, status, version, created_at
        FROM tenants WHERE tenant_no = $1 FOR NO KEY UPDATE
        """,
        tenant_no,
    )
    assert row is not None
    return Tenant(**dict(row))


async def save_tenant(
    connection: Connection, tenant_no: int, *, name: str, plan: str, status: str
) -> Tenant | None:
    """Store a tenant's name, plan and status; None where another has the name."""
    row = await connection.fetchrow(
        """
        UPDATE tenants SET name = $2, plan = $3, status = $4, version = version + 1
        WHERE tenant_no = $1
          AND NOT EXISTS (SELECT FROM tenants o WHERE o.name = $2 AND o.tenant_no <> $1)
        RETURNING tenant_no, tenant_id, name, plan, status, version, created_at
        """,
        tenant_no,
        name,
        plan,
        status,
    )
    return None if row is None else Tenant(**dict(row))


async def has_operator(connection: Connection) -> bool:
    """Whether the platform has an operator."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM operators)"))


async def add_operator(connection: Connection, operator_id: UUID, digest: bytes) -> None:
    """Store an operator by the digest of its token."""
    await connection.execute(
        "INSERT INTO operators (operator_id, digest) VALUES ($1, $2)", operator_id, digest
    )


async def lock_operator(connection: Connection, operator_id: UUID) -> bytes | None:
    """The digest of an operator's token, held until COMMIT; None where there is no such operator."""
    digest: bytes | None = await connection.fetchval(
        "SELECT digest FROM operators WHERE operator_id = $1 FOR UPDATE", operator_id
    )
    return digest


async def replace_digest(connection: Connection, operator_id: UUID, digest: bytes) -> None:
    """Store another token's digest in the place of an operator's."""
    await connection.execute(
        "UPDATE operators SET digest = $2, last_used_at = NULL WHERE operator_id = $1",
        operator_id,
        digest,
    )


async def note_operator_use(connection: Connection, operator_id: UUID) -> None:
    """Remember that an operator's token was used; at most once a minute."""
    await connection.execute(
        """
        UPDATE operators SET last_used_at = now()
        WHERE operator_id = $1
          AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
        """,
        operator_id,
    )
