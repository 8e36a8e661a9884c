"""Saves what ended, and the heartbeat, on a connection; the caller commits."""

from dataclasses import dataclass
from typing import Final, Literal

from libs.common.database import Connection

# Many times longer than a principal lives: what was minted before an older one has died of age.
KEPT_MINUTES: Final = 10
# Somewhat under the second in which one process tries again, so that it is the same one for long.
_BEAT_SECONDS: Final = 0.9


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat: its own number, and that of the last revocation before it."""

    number: int
    last_revocation: int


async def note_revocation(
    connection: Connection,
    tenant_no: int,
    kind: Literal["token", "subject", "tenant", "workspace"],
    ended: str,
    version: int = 0,
    *,
    active: bool = True,
) -> None:
    """Number what has ended, for gateways that do not hear the broadcast.

    `active` is false for a subject that may do nothing any more. Call it last in the transaction, as whoever reads goes back only so far for what was numbered
    and not committed.
    """
    await connection.execute(
        "INSERT INTO revocations (tenant_no, kind, id, version, active)"
        " VALUES ($1, $2, $3, $4, $5)",
        tenant_no,
        kind,
        ended,
        version,
        active,
    )


async def drop_old_revocations(connection: Connection) -> None:
    """Forget what ended so long ago that nothing minted before it can still live."""
    await connection.execute(
        "DELETE FROM revocations WHERE at < now() - make_interval(mins => $1)", KEPT_MINUTES
    )


async def claim_beat(connection: Connection) -> Beat | None:
    """The heartbeat that is due, for one process among its replicas; None where none is."""
    row = await connection.fetchrow(
        """
        UPDATE heartbeat SET number = number + 1, told_at = clock_timestamp()
        WHERE told_at < clock_timestamp() - make_interval(secs => $1)
        RETURNING number, (SELECT coalesce(max(seq), 0) FROM revocations) AS last_revocation
        """,
        _BEAT_SECONDS,
    )
    return None if row is None else Beat(**dict(row))
