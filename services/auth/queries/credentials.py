"""Reads: a credential by what was presented, the tokens of a member, the signing keys."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from asyncpg import Record

from libs.common.database import Connection, Database
from services.auth.model.credential import Credential

# Told again by `republish`: tenant number, last id told, page size.
OWN_TENANT: Final = """
SELECT tenant_id::text AS id, tenant_no, name, status, plan, version
FROM tenants WHERE tenant_no = $1 AND tenant_id::text > $2 ORDER BY tenant_id::text LIMIT $3
"""
MEMBERS: Final = """
SELECT m.user_id::text AS id, u.login, coalesce(m.role, '') AS role, m.status, u.kind,
       u.display_name, m.version
FROM memberships m JOIN users u ON u.user_id = m.user_id
WHERE m.tenant_no = $1 AND m.user_id::text > $2 ORDER BY m.user_id::text LIMIT $3
"""
LIVING_TOKENS: Final = """
SELECT k.token_id::text AS id, k.name, k.user_id, u.kind AS user_kind, k.version, k.scopes,
       k.networks::text[] AS networks, k.rotated_from::text AS rotated_from, k.kind,
       (extract(epoch FROM k.expires_at) * 1000)::int8 AS expires_at
FROM tokens k JOIN users u ON u.user_id = k.user_id
WHERE k.tenant_no = $1 AND k.token_id::text > $2 AND k.revoked_at IS NULL AND k.expires_at > now()
ORDER BY k.token_id::text LIMIT $3
"""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token as its owner sees it: everything but the secret."""

    token_id: UUID
    name: str
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    workspace_id: int
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    rotated_from: UUID | None
    issued_by: UUID | None
    kind: str


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A stored signing key; `active` says that it may sign by now."""

    kid: str
    public_key: bytes
    sealed_private: bytes
    retires_at: datetime | None
    active: bool


async def whose_digest(database: Database, digest: bytes) -> tuple[int, UUID] | None:
    """The tenant and token behind a presented secret's digest, None when there is none."""
    row = await database.fetchrow(
        "SELECT tenant_no, token_id FROM credentials WHERE digest = $1", digest
    )
    return None if row is None else (row["tenant_no"], row["token_id"])


async def credential(connection: Connection, tenant_no: int, token_id: UUID) -> Credential | None:
    """A token with its member and tenant, as they stand now; None when it is not there."""
    row = await connection.fetchrow(
        """
        SELECT k.tenant_no, t.tenant_id, t.status AS tenant_status, t.plan, m.access_version,
               u.user_id, u.kind AS user_kind, u.status AS user_status, m.status AS membership_status,
               k.token_id::text AS actor, k.workspace_id, k.scopes, k.networks::text[] AS networks,
               k.expires_at,
               coalesce(k.expires_at <= now(), false) AS expired,
               k.revoked_at IS NOT NULL AS revoked,
               coalesce(k.password_version <> u.password_version, false) AS password_changed,
               coalesce(k.last_used_at < now() - interval '1 minute', true) AS last_use_is_stale,
               coalesce(w.name, 'default') AS workspace,
               coalesce(w.status, 'active') = 'active' AS workspace_stands
        FROM tokens k
        JOIN tenants t ON t.tenant_no = k.tenant_no
        JOIN memberships m ON m.tenant_no = k.tenant_no AND m.user_id = k.user_id
        JOIN users u ON u.user_id = k.user_id
        LEFT JOIN workspaces w ON w.tenant_no = k.tenant_no AND w.workspace_id = k.workspace_id
        WHERE k.tenant_no = $1 AND k.token_id = $2
        """,
        tenant_no,
        token_id,
    )
    if row is None:
        return None
    listed = {"scopes": tuple(row["scopes"]), "networks": tuple(row["networks"])}
    return Credential(**{**dict(row), **listed})


async def plan_of(connection: Connection, tenant_no: int) -> str:
    """The plan that a tenant is on."""
    return str(
        await connection.fetchval("SELECT plan FROM tenants WHERE tenant_no = $1", tenant_no)
    )


async def networks_of_token(
    connection: Connection, tenant_no: int, token_id: UUID
) -> tuple[str, ...]:
    """The networks that a token may be used from; none for everywhere."""
    found = await connection.fetchval(
        "SELECT networks::text[] FROM tokens WHERE tenant_no = $1 AND token_id = $2",
        tenant_no,
        token_id,
    )
    return tuple(found or ())


async def kind_of_token(connection: Connection, tenant_no: int, token_id: UUID) -> str | None:
    """What a token is: `token`, `session` or `link`; None where there is none."""
    found: str | None = await connection.fetchval(
        "SELECT kind FROM tokens WHERE tenant_no = $1 AND token_id = $2", tenant_no, token_id
    )
    return found


async def tokens_of(connection: Connection, tenant_no: int, user_id: UUID) -> list[TokenRow]:
    """A member's tokens, the newest first, revoked and expired ones too."""
    rows = await connection.fetch(
        """
        SELECT token_id, name, scopes, networks::text[] AS networks, workspace_id, created_at,
               expires_at, last_used_at, revoked_at, rotated_from, issued_by, kind
        FROM tokens WHERE tenant_no = $1 AND user_id = $2
        ORDER BY created_at DESC, token_id
        """,
        tenant_no,
        user_id,
    )
    return [_token(row) for row in rows]


async def published_keys(database: Database) -> list[KeyRow]:
    """The keys that principals may be signed with, the one to sign with first."""
    rows = await database.fetch(
        """
        SELECT kid, public_key, sealed_private, retires_at, activates_at <= now() AS active
        FROM signing_keys WHERE retires_at IS NULL OR retires_at > now()
        ORDER BY activates_at <= now() DESC, activates_at DESC, kid
        """
    )
    return [KeyRow(**dict(row)) for row in rows]


def _token(row: Record) -> TokenRow:
    listed = {"scopes": tuple(row["scopes"]), "networks": tuple(row["networks"])}
    return TokenRow(**{**dict(row), **listed})
