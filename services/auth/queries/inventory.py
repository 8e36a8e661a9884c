"""Reads over all tokens of a tenant, for those who keep watch over them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.common.database import Connection


@dataclass(frozen=True, slots=True)
class InventoryRow:
    """A token with whom it belongs to; everything but the secret."""

    token_id: UUID
    name: str
    owner: str
    owner_kind: str
    scopes: list[str]
    networks: list[str]
    workspace_id: int
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    rotated_from: UUID | None
    issued_by: UUID | None
    kind: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tokens are asked for; None and False leave a condition out.

    `unused_days` and `expires_within_days` find living tokens. `ended` adds those that were revoked or
    have expired. `after` is the last token of the page before.
    """

    owner: str | None
    unused_days: int | None
    expires_within_days: int | None
    ended: bool
    after: UUID | None
    limit: int


async def inventory(connection: Connection, tenant_no: int, wanted: Wanted) -> list[InventoryRow]:
    """The tokens of a tenant, in the order of their ids; at most `limit` of them."""
    rows = await connection.fetch(
        """
        SELECT k.token_id, k.name, u.login AS owner, u.kind AS owner_kind, k.scopes,
               k.networks::text[] AS networks, k.workspace_id, k.created_at, k.expires_at,
               k.last_used_at, k.revoked_at, k.rotated_from, k.issued_by, k.kind
        FROM tokens k JOIN users u ON u.user_id = k.user_id
        WHERE k.tenant_no = $1
          AND ($2::text IS NULL OR u.login = $2)
          AND ($3::int4 IS NULL
               OR coalesce(k.last_used_at, k.created_at) < now() - make_interval(days => $3))
          AND ($4::int4 IS NULL OR k.expires_at < now() + make_interval(days => $4))
          AND ($5::bool OR (k.revoked_at IS NULL AND k.expires_at > now()))
          AND ($6::uuid IS NULL OR k.token_id > $6)
        ORDER BY k.token_id LIMIT $7
        """,
        tenant_no,
        wanted.owner,
        wanted.unused_days,
        wanted.expires_within_days,
        wanted.ended,
        wanted.after,
        wanted.limit,
    )
    return [InventoryRow(**dict(row)) for row in rows]
