"""Reads: the members of a tenant, one of them, and users by their login."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from libs.common.database import Connection
from services.auth.model.credential import subject_of
from services.auth.model.members import Member, meant_by, no_member

_PAGE: Final = """
SELECT m.user_id, u.login, u.display_name, u.kind, m.role,
       CASE WHEN u.status = 'suspended' THEN u.status ELSE m.status END AS status,
       m.version, m.created_at AS joined_at,
       (SELECT max(k.last_used_at) FROM tokens k
        WHERE k.tenant_no = m.tenant_no AND k.user_id = m.user_id) AS last_used_at
FROM memberships m JOIN users u ON u.user_id = m.user_id
WHERE m.tenant_no = $1 AND m.status <> 'removed' AND u.login > $2
  AND ($4::text = '' OR u.kind = $4)
ORDER BY u.login LIMIT $3
"""
_BY_ID: Final = """
SELECT m.user_id, u.login, u.display_name, u.kind, m.role,
       CASE WHEN u.status = 'suspended' THEN u.status ELSE m.status END AS status,
       m.version, m.created_at AS joined_at,
       (SELECT max(k.last_used_at) FROM tokens k
        WHERE k.tenant_no = m.tenant_no AND k.user_id = m.user_id) AS last_used_at
FROM memberships m JOIN users u ON u.user_id = m.user_id
WHERE m.tenant_no = $1 AND m.status <> 'removed' AND m.user_id = $2
"""
# A service account is also known by its name without the tenant's.
_BY_LOGIN: Final = """
SELECT m.user_id, u.login, u.display_name, u.kind, m.role,
       CASE WHEN u.status = 'suspended' THEN u.status ELSE m.status END AS status,
       m.version, m.created_at AS joined_at,
       (SELECT max(k.last_used_at) FROM tokens k
        WHERE k.tenant_no = m.tenant_no AND k.user_id = m.user_id) AS last_used_at
FROM users u
JOIN memberships m ON m.user_id = u.user_id
JOIN tenants t ON t.tenant_no = m.tenant_no
WHERE m.tenant_no = $1 AND m.status <> 'removed'
  AND (u.login = $2 OR (u.kind = 'service' AND u.login = t.name || '/' || $2))
ORDER BY u.login = $2 DESC LIMIT 1
"""
# Open invitations hold a place, so that accepting one does not fail for want of room.
_PLACES: Final = """
SELECT (SELECT count(*) FROM memberships WHERE tenant_no = $1 AND status <> 'removed') AS members,
       (SELECT count(*) FROM invitations WHERE tenant_no = $1 AND accepted_at IS NULL
        AND revoked_at IS NULL AND expires_at > now()) AS invited
"""


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user of the installation, whatever it is a member of."""

    user_id: UUID
    login: str
    kind: str
    status: str
    password_hash: str | None


async def members_page(
    connection: Connection, tenant_no: int, after: str, limit: int, kind: str = ""
) -> list[Member]:
    """Members by login from behind `after`; `kind` narrows to `person` or `service`."""
    rows = await connection.fetch(_PAGE, tenant_no, after, limit, kind)
    return [Member(**dict(row)) for row in rows]


async def find_member(connection: Connection, tenant_no: int, text: str) -> Member:
    """The member that a subject, an id, a login or an account's name means, or a refusal."""
    user_id, login = meant_by(text)
    row = (
        await connection.fetchrow(_BY_LOGIN, tenant_no, login)
        if user_id is None
        else await connection.fetchrow(_BY_ID, tenant_no, user_id)
    )
    found = None if row is None else Member(**dict(row))
    # `service:…` means no person, nor `user:…` an account.
    if found is None or (user_id is not None and ":" in text and found.subject != text):
        raise no_member(text)
    return found


async def status_of_login(connection: Connection, tenant_no: int, login: str) -> str | None:
    """The status of the member that has exactly this login; None where no member has."""
    status: str | None = await connection.fetchval(
        """
        SELECT m.status FROM memberships m JOIN users u ON u.user_id = m.user_id
        WHERE m.tenant_no = $1 AND m.status <> 'removed' AND u.login = $2
        """,
        tenant_no,
        login,
    )
    return status


async def member(connection: Connection, tenant_no: int, user_id: UUID) -> Member:
    """A member that is known to be there."""
    row = await connection.fetchrow(_BY_ID, tenant_no, user_id)
    assert row is not None
    return Member(**dict(row))


async def places_taken(connection: Connection, tenant_no: int) -> tuple[int, int]:
    """How many members a tenant has, and how many open invitations."""
    row = await connection.fetchrow(_PLACES, tenant_no)
    assert row is not None
    return row["members"], row["invited"]


async def user_by_login(connection: Connection, login: str) -> UserRow | None:
    """The user with a login; None where nobody has it."""
    row = await connection.fetchrow(
        "SELECT user_id, login, kind, status, password_hash FROM users WHERE login = $1", login
    )
    return None if row is None else UserRow(**dict(row))


async def user_by_id(connection: Connection, user_id: UUID) -> UserRow | None:
    """The user with an id; None where there is none."""
    row = await connection.fetchrow(
        "SELECT user_id, login, kind, status, password_hash FROM users WHERE user_id = $1", user_id
    )
    return None if row is None else UserRow(**dict(row))


async def account_subject(connection: Connection, tenant_no: int, name: str) -> str | None:
    """The subject of a tenant's service account by its name; None where there is none."""
    user_id = await connection.fetchval(
        """
        SELECT m.user_id FROM memberships m
        JOIN users u ON u.user_id = m.user_id
        JOIN tenants t ON t.tenant_no = m.tenant_no
        WHERE m.tenant_no = $1 AND m.status <> 'removed' AND u.kind = 'service'
          AND u.login = t.name || '/' || $2
        """,
        tenant_no,
        name,
    )
    return None if user_id is None else subject_of(user_id, "service")
