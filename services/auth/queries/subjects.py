"""Reads: a member by what a request calls it, pages of members, and who the owners are."""

from typing import Final
from uuid import UUID

from libs.common.database import Connection
from libs.common.errors import missing
from services.auth.model.credential import subject_of, user_id_of
from services.auth.model.subjects import OWNER, Subject

_BY_ID: Final = """
SELECT m.user_id, u.kind, u.login, u.display_name, m.role, m.status, m.version
FROM memberships m JOIN users u ON u.user_id = m.user_id
WHERE m.tenant_no = $1 AND m.user_id = $2 AND m.status <> 'removed'
"""
# A service account is also known by its name without the tenant's.
_BY_LOGIN: Final = """
SELECT m.user_id, u.kind, u.login, u.display_name, m.role, m.status, m.version
FROM users u
JOIN memberships m ON m.user_id = u.user_id
JOIN tenants t ON t.tenant_no = m.tenant_no
WHERE m.tenant_no = $1 AND m.status <> 'removed'
  AND (u.login = $2 OR (u.kind = 'service' AND u.login = t.name || '/' || $2))
ORDER BY u.login = $2 DESC LIMIT 1
"""
_PAGE: Final = """
SELECT m.user_id, u.kind, u.login, u.display_name, m.role, m.status, m.version
FROM memberships m JOIN users u ON u.user_id = m.user_id
WHERE m.tenant_no = $1 AND m.status <> 'removed' AND u.login COLLATE "C" > $2
ORDER BY u.login COLLATE "C" LIMIT $3
"""
# Locked, so that two who both mean to take away one of two owners see each other.
_ACTIVE_OWNERS: Final = """
SELECT m.user_id FROM memberships m JOIN users u ON u.user_id = m.user_id
WHERE m.tenant_no = $1 AND m.role = $2 AND m.status = 'active' AND u.status = 'active'
  AND u.kind = 'person'
ORDER BY m.user_id FOR UPDATE OF m
"""


async def find_subject(connection: Connection, tenant_no: int, named: str) -> Subject:
    """The member that `user:…`, `service:…`, a user's id, a login or an account's name means."""
    user_id = user_id_of(named) or _uuid(named)
    row = (
        await connection.fetchrow(_BY_LOGIN, tenant_no, named)
        if user_id is None
        else await connection.fetchrow(_BY_ID, tenant_no, user_id)
    )
    found = None if row is None else Subject(**dict(row))
    if found is None or (":" in named and user_id and subject_of(user_id, found.kind) != named):
        raise missing(f"Member {named!r} not found")
    return found


async def subjects_page(
    connection: Connection, tenant_no: int, after: str, limit: int
) -> list[Subject]:
    """Members in the order of their logins, from the first behind `after` on."""
    rows = await connection.fetch(_PAGE, tenant_no, after, limit)
    return [Subject(**dict(row)) for row in rows]


async def active_owners(connection: Connection, tenant_no: int) -> list[UUID]:
    """The people who are owners and can act, locked until COMMIT."""
    rows = await connection.fetch(_ACTIVE_OWNERS, tenant_no, OWNER)
    return [row["user_id"] for row in rows]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
