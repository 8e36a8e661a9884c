"""Saves tenants, members, tokens and signing keys on a connection; the caller commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from libs.common.database import Connection
from services.auth.model.signing import SigningKey

# One number for everything that may happen only once in an installation (first start, rotation).
_ONCE_LOCK: Final = 0x61757468  # "auth"


@dataclass(frozen=True, slots=True)
class NewToken:
    """What is stored of a token when it is made; `not_after` is the end of what bounds it.

    A session and a link to sign in are tokens of another `kind`, which last `seconds`; made by a
    sign-in with a password, they end with that one's version.
    """

    token_id: UUID
    digest: bytes
    name: str
    user_id: UUID
    workspace_id: int
    scopes: tuple[str, ...]
    expires_in_days: int
    networks: tuple[str, ...] = ()
    rotated_from: UUID | None = None
    issued_by: UUID | None = None
    not_after: datetime | None = None
    kind: str = "token"
    seconds: int | None = None
    password_version: int | None = None


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token's state after a write, as the fact about it carries it."""

    token_id: UUID
    name: str
    user_id: UUID
    user_kind: str
    created_at: datetime
    expires_at: datetime
    version: int
    scopes: Sequence[str] = ()
    networks: Sequence[str] = ()
    rotated_from: UUID | None = None
    kind: str = "token"


async def lock_once(connection: Connection) -> None:
    """Wait until no other process of this installation is in the same place; until COMMIT."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _ONCE_LOCK)


async def has_tenant(connection: Connection) -> bool:
    """Whether the installation has begun."""
    return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM tenants)"))


async def add_tenant(connection: Connection, tenant_id: UUID, name: str, plan: str) -> int:
    """Add a tenant; its number. The transaction speaks for that tenant from then on."""
    row = await connection.fetchrow(
        """
        WITH added AS (
            INSERT INTO tenants (tenant_id, name, plan) VALUES ($1, $2, $3) RETURNING tenant_no
        )
        SELECT tenant_no, set_config('app.tenant', tenant_no::text, true) FROM added
        """,
        tenant_id,
        name,
        plan,
    )
    assert row is not None
    return int(row["tenant_no"])


async def add_member(
    connection: Connection, tenant_no: int, user_id: UUID, login: str, role: str
) -> None:
    """Add a user and make it a member of a tenant."""
    await connection.execute("INSERT INTO users (user_id, login) VALUES ($1, $2)", user_id, login)
    await connection.execute(
        "INSERT INTO memberships (tenant_no, user_id, role) VALUES ($1, $2, $3)",
        tenant_no,
        user_id,
        role,
    )


async def add_token(connection: Connection, tenant_no: int, token: NewToken) -> StoredToken:
    """Store a token and the digest it is found by."""
    row = await connection.fetchrow(
        """
        INSERT INTO tokens (tenant_no, token_id, user_id, workspace_id, name, scopes, expires_at,
                            networks, rotated_from, issued_by, bound, kind, password_version)
        VALUES ($1, $2, $3, $4, $5, $6,
                least(now() + make_interval(days => $7::int), $11::timestamptz,
                      now() + make_interval(secs => $13::int)),
                $8::cidr[], $9, $10, $11::timestamptz IS NOT NULL, $12, $14)
        RETURNING token_id, name, user_id, created_at, expires_at, version, scopes,
                  networks::text[] AS networks, rotated_from, kind,
                  (SELECT u.kind FROM users u WHERE u.user_id = tokens.user_id) AS user_kind
        """,
        tenant_no,
        token.token_id,
        token.user_id,
        token.workspace_id,
        token.name,
        list(token.scopes),
        token.expires_in_days,
        list(token.networks),
        token.rotated_from,
        token.issued_by,
        token.not_after,
        token.kind,
        token.seconds,
        token.password_version,
    )
    assert row is not None
    await connection.execute(
        "INSERT INTO credentials (digest, tenant_no, token_id) VALUES ($1, $2, $3)",
        token.digest,
        tenant_no,
        token.token_id,
    )
    return StoredToken(**dict(row))


async def revoke_token(
    connection: Connection, tenant_no: int, token_id: UUID, user_id: UUID | None
) -> StoredToken | None:
    """End a member's token, or anybody's where `user_id` is None.

    None when it was ended before, or is not there.
    """
    row = await connection.fetchrow(
        """
        UPDATE tokens SET revoked_at = now(), version = version + 1
        WHERE tenant_no = $1 AND token_id = $2 AND ($3::uuid IS NULL OR user_id = $3)
          AND revoked_at IS NULL
        RETURNING token_id, name, user_id, created_at, expires_at, version, scopes,
                  networks::text[] AS networks, rotated_from, kind,
                  (SELECT u.kind FROM users u WHERE u.user_id = tokens.user_id) AS user_kind
        """,
        tenant_no,
        token_id,
        user_id,
    )
    return None if row is None else StoredToken(**dict(row))


async def revoke_tokens(connection: Connection, tenant_no: int, user_id: UUID) -> list[StoredToken]:
    """End all living tokens of a member; those that ended by it."""
    rows = await connection.fetch(
        """
        UPDATE tokens SET revoked_at = now(), version = version + 1
        WHERE tenant_no = $1 AND user_id = $2 AND revoked_at IS NULL
          AND expires_at > now()
        RETURNING token_id, name, user_id, created_at, expires_at, version, scopes,
                  networks::text[] AS networks, rotated_from, kind,
                  (SELECT u.kind FROM users u WHERE u.user_id = tokens.user_id) AS user_kind
        """,
        tenant_no,
        user_id,
    )
    return [StoredToken(**dict(row)) for row in rows]


async def has_token(
    connection: Connection, tenant_no: int, token_id: UUID, user_id: UUID | None
) -> bool:
    """Whether a member, or anybody where `user_id` is None, has or had this token."""
    found = await connection.fetchval(
        """
        SELECT true FROM tokens
        WHERE tenant_no = $1 AND token_id = $2 AND ($3::uuid IS NULL OR user_id = $3)
        """,
        tenant_no,
        token_id,
        user_id,
    )
    return bool(found)


async def note_use(connection: Connection, tenant_no: int, token_id: UUID) -> None:
    """Remember that a token was used; at most once a minute, however many note it at once."""
    await connection.execute(
        """
        UPDATE tokens SET last_used_at = now()
        WHERE tenant_no = $1 AND token_id = $2
          AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
        """,
        tenant_no,
        token_id,
    )


async def needs_signing_key(connection: Connection, older_than_days: int) -> tuple[bool, bool]:
    """Whether there is no signing key at all, and whether the youngest has had its time."""
    row = await connection.fetchrow(
        """
        SELECT max(activates_at) IS NULL AS absent,
               max(activates_at) < now() - make_interval(days => $1) AS old
        FROM signing_keys
        """,
        older_than_days,
    )
    assert row is not None
    return bool(row["absent"]), bool(row["old"])


async def add_signing_key(
    connection: Connection, key: SigningKey, sealed: bytes, *, in_seconds: int, overlap_seconds: int
) -> None:
    """Store a key that signs `in_seconds` from now; older ones stay published for the overlap."""
    await connection.execute(
        """
        UPDATE signing_keys SET retires_at = now() + make_interval(secs => $1)
        WHERE retires_at IS NULL
        """,
        float(in_seconds + overlap_seconds),
    )
    await connection.execute(
        """
        INSERT INTO signing_keys (kid, public_key, sealed_private, activates_at)
        VALUES ($1, $2, $3, now() + make_interval(secs => $4))
        """,
        key.kid,
        key.public_bytes(),
        sealed,
        float(in_seconds),
    )


async def drop_retired_keys(connection: Connection) -> None:
    """Forget keys that nothing valid can be signed with any more."""
    await connection.execute("DELETE FROM signing_keys WHERE retires_at < now() - interval '1 day'")
