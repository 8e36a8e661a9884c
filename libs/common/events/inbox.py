"""The inbox: an event's id is stored with its effect, so that a redelivery has no second one."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from libs.common.database.pool import Connection

_TAKE: Final = """
INSERT INTO inbox (subscription, event_id) SELECT $1, u FROM unnest($2::uuid[]) AS u
ON CONFLICT DO NOTHING RETURNING event_id
"""


async def take(connection: Connection, subscription: str, events: Sequence[UUID]) -> set[UUID]:
    """Mark events as handled by `subscription`, in the caller's transaction; those that are new."""
    rows = await connection.fetch(_TAKE, subscription, list(events))
    return {row["event_id"] for row in rows}
