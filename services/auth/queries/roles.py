"""Reads: the roles of a tenant, and who has them."""

from typing import Final
from uuid import UUID

from asyncpg import Record

from libs.common.access.roles import ROLES
from libs.common.database import Connection
from libs.common.errors import invalid, missing
from services.auth.model.roles import Role, built_in_roles

# Told again by `republish`: tenant number, last id told, page size.
DEFINED: Final = """
SELECT name AS id, name, description, permissions, version FROM roles
WHERE tenant_no = $1 AND name > $2 AND deleted_at IS NULL ORDER BY name LIMIT $3
"""
_ALL: Final = """
SELECT name, description, permissions, version FROM roles
WHERE tenant_no = $1 AND deleted_at IS NULL ORDER BY name
"""
_ONE: Final = """
SELECT name, description, permissions, version FROM roles
WHERE tenant_no = $1 AND name = $2 AND deleted_at IS NULL
"""
_MEMBERS: Final = """
SELECT m.user_id, u.login FROM memberships m JOIN users u ON u.user_id = m.user_id
WHERE m.tenant_no = $1 AND m.role = $2 AND m.status <> 'removed' ORDER BY u.login
"""
_GRANTEES: Final = """
SELECT DISTINCT g.user_id, u.login FROM grants g JOIN users u ON u.user_id = g.user_id
WHERE g.tenant_no = $1 AND g.role = $2 AND (g.expires_at IS NULL OR g.expires_at > now())
ORDER BY u.login
"""


async def roles_of(connection: Connection, tenant_no: int) -> list[Role]:
    """The built-in roles, then those of the tenant by name."""
    rows = await connection.fetch(_ALL, tenant_no)
    return built_in_roles() + [_role(row) for row in rows]


async def role_called(connection: Connection, tenant_no: int, name: str) -> Role:
    """One role; refused as missing where there is none."""
    if name in ROLES:
        return next(role for role in built_in_roles() if role.name == name)
    row = await connection.fetchrow(_ONE, tenant_no, name)
    if row is None:
        raise missing(f"Role {name!r} not found")
    return _role(row)


async def role_given(connection: Connection, tenant_no: int, name: str) -> Role:
    """A role that a request means to give; one that does not exist is its mistake."""
    if name not in ROLES and not await connection.fetchrow(_ONE, tenant_no, name):
        raise invalid(f"role: there is no role {name!r}; GET /api/maestro/v1/roles lists them.")
    return await role_called(connection, tenant_no, name)


async def who_has_role(
    connection: Connection, tenant_no: int, name: str
) -> tuple[dict[UUID, str], dict[UUID, str]]:
    """The logins of those whose role it is, and of those to whom it is granted or denied."""
    members = await connection.fetch(_MEMBERS, tenant_no, name)
    grantees = await connection.fetch(_GRANTEES, tenant_no, name)
    return (
        {row["user_id"]: row["login"] for row in members},
        {row["user_id"]: row["login"] for row in grantees},
    )


def _role(row: Record) -> Role:
    return Role(row["name"], row["description"], tuple(row["permissions"]), row["version"])
