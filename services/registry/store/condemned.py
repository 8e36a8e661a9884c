"""Condemned sources: whether a version needs one, and that none is made of it from then on.

A condemnation and a new version of one source take the same lock, so that the later of the two
sees the earlier; the caller commits, which gives the lock up.
"""

from collections.abc import Iterable
from typing import Final

from libs.common.database import Connection

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1::int4 || '/' || $2::text, 0))"
_CONDEMNED: Final = """
SELECT source FROM condemned_sources WHERE tenant_no = $1 AND source = ANY($2::text[]) LIMIT 1
"""
# A client finds the files of `runs:/<run>/<name>` in one of the models that the run made.
_NEEDED: Final = """
SELECT EXISTS (SELECT FROM model_versions WHERE tenant_no = $1 AND run_id = $2 AND run_id <> '')
    OR EXISTS (SELECT FROM model_versions
               WHERE tenant_no = $1 AND logged_model_id = $2 AND logged_model_id <> '')
    OR EXISTS (SELECT FROM model_versions
               WHERE tenant_no = $1 AND run_id = ANY($3::text[]) AND run_id <> ''
                     AND starts_with(storage_location, 'runs:/'))
"""
_CONDEMN: Final = """
INSERT INTO condemned_sources AS c (tenant_no, source, version) VALUES ($1, $2, $3)
ON CONFLICT (tenant_no, source) DO UPDATE SET version = excluded.version
WHERE c.version < excluded.version
"""
_LIFT: Final = """
DELETE FROM condemned_sources WHERE tenant_no = $1 AND source = $2 AND version < $3
"""


async def lock_sources(connection: Connection, tenant_no: int, sources: Iterable[str]) -> None:
    """Wait for whoever condemns some runs or logged models, or makes versions of them."""
    for source in sorted(set(sources) - {""}):
        await connection.execute(_LOCK, tenant_no, source)


async def condemned_among(
    connection: Connection, tenant_no: int, sources: Iterable[str]
) -> str | None:
    """The first of some locked runs and logged models that is condemned, None if none is."""
    found: str | None = await connection.fetchval(_CONDEMNED, tenant_no, list(sources))
    return found


async def is_needed(connection: Connection, tenant_no: int, source: str, runs: list[str]) -> bool:
    """Whether a version was made of a locked run or logged model; `runs` made the model."""
    return bool(await connection.fetchval(_NEEDED, tenant_no, source, runs))


async def condemn(connection: Connection, tenant_no: int, source: str, version: int) -> None:
    """Let no version be made of a locked run or logged model."""
    await connection.execute(_CONDEMN, tenant_no, source, version)


async def lift(connection: Connection, tenant_no: int, source: str, version: int) -> None:
    """Take back an older condemnation of what was brought back with `version`."""
    await connection.execute(_LIFT, tenant_no, source, version)
