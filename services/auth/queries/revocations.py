"""What ended lately, for gateways that may not have heard of it."""

from typing import Final

from libs.common.access.feed import Feed, Revocation
from libs.common.database import Database

# How long a transaction may take between numbering a revocation and its COMMIT.
OVERLAP_SECONDS: Final = 15.0
MOST: Final = 20_000

_STATE: Final = """
SELECT greatest(max(seq), $1) AS last,
       greatest(max(seq) FILTER (WHERE at < now() - make_interval(secs => $2)), $1) AS settled,
       extract(epoch FROM now())::float8 AS time
FROM revocations
"""
_AFTER: Final = """
SELECT seq AS number, kind, tenant_no, id, version, active FROM revocations
WHERE seq > $1 ORDER BY seq LIMIT $2
"""


async def ended_after(database: Database, number: int) -> Feed:
    """What ended after a number, from which on the caller may not know all."""
    async with database.reading() as connection:
        state = await connection.fetchrow(_STATE, number, OVERLAP_SECONDS)
        rows = await connection.fetch(_AFTER, number, MOST + 1)
    assert state is not None
    return Feed(
        revocations=[Revocation(**dict(row)) for row in rows[:MOST]],
        whole=len(rows) <= MOST,
        **dict(state),
    )
