"""Reads about signing in with a password: a person by login, their tenants, the member behind."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from libs.common.database import Connection, Database
from services.auth.model.credential import (
    ALL_SCOPES,
    FIRST_WORKSPACE,
    Credential,
    login_actor,
)

_NUL: Final = "\x00"  # which PostgreSQL holds in no text


@dataclass(frozen=True, slots=True)
class Person:
    """Who signs in with a password; `password_hash` is None where no password was ever set."""

    user_id: UUID
    login: str
    password_hash: str | None
    password_version: int


async def person_of_login(database: Database, login: str) -> Person | None:
    """The person of a login; None for service accounts, which have tokens only."""
    if _NUL in login:
        return None
    row = await database.fetchrow(
        """
        SELECT user_id, login, password_hash, password_version
        FROM users WHERE login = $1 AND kind = 'person'
        """,
        login,
    )
    return None if row is None else Person(**dict(row))


async def person_of_id(database: Database, user_id: UUID) -> Person | None:
    """The person of an id; None for service accounts, which have tokens only."""
    row = await database.fetchrow(
        """
        SELECT user_id, login, password_hash, password_version
        FROM users WHERE user_id = $1 AND kind = 'person'
        """,
        user_id,
    )
    return None if row is None else Person(**dict(row))


async def tenants_of(database: Database, user_id: UUID) -> dict[str, int]:
    """The tenants that a person is a member of: their numbers by their names."""
    rows = await database.fetch(
        """
        SELECT t.name, t.tenant_no FROM member_tenants m JOIN tenants t USING (tenant_no)
        WHERE m.user_id = $1
        """,
        user_id,
    )
    return {row["name"]: row["tenant_no"] for row in rows}


async def login_credential(
    connection: Connection, tenant_no: int, user_id: UUID
) -> Credential | None:
    """What a member's password opens: everything that the member may do; None for no member."""
    row = await connection.fetchrow(
        """
        SELECT m.tenant_no, t.tenant_id, t.status AS tenant_status, t.plan, m.access_version,
               u.user_id, u.kind AS user_kind, u.status AS user_status, m.status AS membership_status,
               u.password_version
        FROM memberships m
        JOIN tenants t ON t.tenant_no = m.tenant_no
        JOIN users u ON u.user_id = m.user_id
        WHERE m.tenant_no = $1 AND m.user_id = $2 AND u.password_hash IS NOT NULL
        """,
        tenant_no,
        user_id,
    )
    if row is None:
        return None
    member = dict(row)
    return Credential(
        actor=login_actor(user_id, member.pop("password_version")),
        workspace_id=FIRST_WORKSPACE,
        scopes=ALL_SCOPES,
        networks=(),
        expires_at=None,
        expired=False,
        revoked=False,
        last_use_is_stale=False,
        **member,
    )
