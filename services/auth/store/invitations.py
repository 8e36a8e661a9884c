"""Saves invitations on a connection; the caller commits."""

from dataclasses import dataclass
from uuid import UUID

from libs.common.database import Connection


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """What is stored of an invitation when it is made."""

    invitation_id: UUID
    digest: bytes
    login: str
    role: str | None
    made_by: str
    days: int


async def add_invitation(connection: Connection, tenant_no: int, new: NewInvitation) -> None:
    """Store an invitation and the digest it is found by."""
    await connection.execute(
        """
        INSERT INTO invitations (tenant_no, invitation_id, login, role, made_by, expires_at)
        VALUES ($1, $2, $3, $4, $5, now() + make_interval(days => $6::int))
        """,
        tenant_no,
        new.invitation_id,
        new.login,
        new.role,
        new.made_by,
        new.days,
    )
    await connection.execute(
        "INSERT INTO invitation_codes (digest, tenant_no, invitation_id) VALUES ($1, $2, $3)",
        new.digest,
        tenant_no,
        new.invitation_id,
    )


async def mark_accepted(connection: Connection, tenant_no: int, invitation_id: UUID) -> int:
    """An invitation was taken; its new version."""
    version: int = await connection.fetchval(
        """
        UPDATE invitations SET accepted_at = now(), version = version + 1
        WHERE tenant_no = $1 AND invitation_id = $2 RETURNING version
        """,
        tenant_no,
        invitation_id,
    )
    return version


async def mark_revoked(connection: Connection, tenant_no: int, invitation_id: UUID) -> int:
    """An invitation was taken back; its new version."""
    version: int = await connection.fetchval(
        """
        UPDATE invitations SET revoked_at = now(), version = version + 1
        WHERE tenant_no = $1 AND invitation_id = $2 RETURNING version
        """,
        tenant_no,
        invitation_id,
    )
    return version


async def take_try(connection: Connection, tenant_no: int, invitation_id: UUID, most: int) -> bool:
    """Count one more password shown with an invitation; False where there were `most` before."""
    taken = await connection.fetchval(
        """
        UPDATE invitations SET tries = tries + 1
        WHERE tenant_no = $1 AND invitation_id = $2 AND tries < $3
        RETURNING true
        """,
        tenant_no,
        invitation_id,
        most,
    )
    return bool(taken)
