"""Saves what happens to tokens after they were made; the caller commits."""

from dataclasses import dataclass
from uuid import UUID

from libs.common.database import Connection
from services.auth.store.identity import StoredToken


@dataclass(frozen=True, slots=True)
class LivingToken:
    """A member's token that can be rotated; `days` is the whole of its life."""

    token_id: UUID
    name: str
    user_id: UUID
    workspace_id: int
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    days: int


async def lock_living_token(
    connection: Connection, tenant_no: int, token_id: UUID, user_id: UUID
) -> LivingToken | None:
    """A member's token that has not ended, held until COMMIT; None where there is none."""
    row = await connection.fetchrow(
        """
        SELECT token_id, name, user_id, workspace_id, scopes, networks::text[] AS networks,
               ceil(extract(epoch FROM expires_at - created_at) / 86400)::int4 AS days
        FROM tokens
        WHERE tenant_no = $1 AND token_id = $2 AND user_id = $3
          AND revoked_at IS NULL AND expires_at > now()
        FOR UPDATE
        """,
        tenant_no,
        token_id,
        user_id,
    )
    if row is None:
        return None
    listed = {"scopes": tuple(row["scopes"]), "networks": tuple(row["networks"])}
    return LivingToken(**{**dict(row), **listed})


async def cut_token_short(
    connection: Connection, tenant_no: int, token_id: UUID, hours: int
) -> StoredToken:
    """Let a token end after so many hours, unless it ends before by itself."""
    row = await connection.fetchrow(
        """
        UPDATE tokens
        SET expires_at = least(expires_at, now() + make_interval(hours => $3)), version = version + 1
        WHERE tenant_no = $1 AND token_id = $2
        RETURNING token_id, name, user_id, created_at, expires_at, version, scopes,
                  networks::text[] AS networks, rotated_from,
                  (SELECT kind FROM users u WHERE u.user_id = tokens.user_id) AS user_kind
        """,
        tenant_no,
        token_id,
        hours,
    )
    assert row is not None
    return StoredToken(**dict(row))
