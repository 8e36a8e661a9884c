"""Saves what happens to tokens after they were made; the caller commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from libs.common.database import Connection
from services.auth.store.identity import StoredToken


@dataclass(frozen=True, slots=True)
class LivingToken:
    """A member's token that can be rotated; `days` is the whole of its life.

    `not_after` is the end of the token that it was made with, where that bounds it.
    """

    token_id: UUID
    name: str
    user_id: UUID
    workspace_id: int
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    days: int
    issued_by: UUID | None
    not_after: datetime | None


class SessionOfLink(NamedTuple):
    """What a session takes over from the link it begins with, beside what the link shows."""

    workspace_id: int
    issued_by: UUID | None
    password_version: int | None


async def lock_living_token(
    connection: Connection, tenant_no: int, token_id: UUID, user_id: UUID
) -> LivingToken | None:
    """A member's token that has not ended, held until COMMIT; None where there is none."""
    row = await connection.fetchrow(
        """
        SELECT token_id, name, user_id, workspace_id, scopes, networks::text[] AS networks,
               ceil(extract(epoch FROM expires_at - created_at) / 86400)::int4 AS days, issued_by,
               (SELECT m.expires_at FROM tokens m
                WHERE k.bound AND m.tenant_no = k.tenant_no AND m.token_id = k.issued_by) AS not_after
        FROM tokens k
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


async def hold_token(connection: Connection, tenant_no: int, token_id: UUID) -> datetime | None:
    """When a living token ends, which nobody revokes until COMMIT; None where it has ended."""
    ends: datetime | None = await connection.fetchval(
        """
        SELECT expires_at FROM tokens
        WHERE tenant_no = $1 AND token_id = $2 AND revoked_at IS NULL AND expires_at > now()
        FOR SHARE
        """,
        tenant_no,
        token_id,
    )
    return ends


async def pass_made_on(connection: Connection, tenant_no: int, before: UUID, after: UUID) -> None:
    """Let what was made with a token count as made with the one that takes its place."""
    await connection.execute(
        "UPDATE tokens SET issued_by = $3 WHERE tenant_no = $1 AND issued_by = $2",
        tenant_no,
        before,
        after,
    )


async def revoke_made(
    connection: Connection, tenant_no: int, token_ids: Sequence[UUID]
) -> list[StoredToken]:
    """End the living tokens that were made with any of these, or with one that was.

    What was being made meanwhile is found by asking again, until there is none.
    """
    rows = await connection.fetch(
        """
        WITH RECURSIVE made AS (
            SELECT token_id FROM tokens WHERE tenant_no = $1 AND issued_by = ANY($2)
            UNION
            SELECT k.token_id FROM tokens k JOIN made m ON k.issued_by = m.token_id
            WHERE k.tenant_no = $1
        )
        UPDATE tokens SET revoked_at = now(), version = version + 1
        WHERE tenant_no = $1 AND token_id IN (SELECT token_id FROM made)
          AND revoked_at IS NULL AND expires_at > now()
        RETURNING token_id, name, user_id, created_at, expires_at, version, scopes,
                  networks::text[] AS networks, rotated_from, kind,
                  (SELECT u.kind FROM users u WHERE u.user_id = tokens.user_id) AS user_kind
        """,
        tenant_no,
        token_ids,
    )
    return [StoredToken(**dict(row)) for row in rows]


async def revoke_begun(
    connection: Connection, tenant_no: int, user_id: UUID, password_version: int
) -> list[StoredToken]:
    """End what a member's sign-ins with a password of that version have made."""
    rows = await connection.fetch(
        """
        UPDATE tokens SET revoked_at = now(), version = version + 1
        WHERE tenant_no = $1 AND user_id = $2 AND password_version = $3
          AND revoked_at IS NULL AND expires_at > now()
        RETURNING token_id, name, user_id, created_at, expires_at, version, scopes,
                  networks::text[] AS networks, rotated_from, kind,
                  (SELECT u.kind FROM users u WHERE u.user_id = tokens.user_id) AS user_kind
        """,
        tenant_no,
        user_id,
        password_version,
    )
    return [StoredToken(**dict(row)) for row in rows]


async def take_link(
    connection: Connection, tenant_no: int, token_id: UUID
) -> tuple[StoredToken, SessionOfLink] | None:
    """Spend a link to sign in with, which can be done once; None where it has ended."""
    row = await connection.fetchrow(
        """
        UPDATE tokens SET revoked_at = now(), version = version + 1
        WHERE tenant_no = $1 AND token_id = $2 AND kind = 'link'
          AND revoked_at IS NULL AND expires_at > now()
        RETURNING token_id, name, user_id, created_at, expires_at, version, scopes,
                  networks::text[] AS networks, rotated_from, kind,
                  (SELECT u.kind FROM users u WHERE u.user_id = tokens.user_id) AS user_kind,
                  workspace_id, issued_by, password_version
        """,
        tenant_no,
        token_id,
    )
    if row is None:
        return None
    told = dict(row)
    session = SessionOfLink(*(told.pop(name) for name in SessionOfLink._fields))
    return StoredToken(**told), session


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
                  networks::text[] AS networks, rotated_from, kind,
                  (SELECT u.kind FROM users u WHERE u.user_id = tokens.user_id) AS user_kind
        """,
        tenant_no,
        token_id,
        hours,
    )
    assert row is not None
    return StoredToken(**dict(row))
