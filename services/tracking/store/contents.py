"""Which path holds which content, and which objects nobody refers to; the caller commits."""

from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from libs.common.database import Connection, Database
from services.tracking.artifacts.paths import Owner
from services.tracking.model.contents import Content

# An upload that has not ended by then was given up, or its process is gone.
GIVEN_UP_SECONDS: Final = 24 * 3600
# What the store does not remove is left alone for so long, so that it holds up nothing else.
PUT_OFF_SECONDS: Final = 3600.0
# However many files there are, no statement takes too long.
UNLINKED_AT_ONCE: Final = 10_000

_BEGIN: Final = "INSERT INTO loose_objects (object_key) VALUES ($1)"
_LEAVE: Final = "UPDATE loose_objects SET leaves = true WHERE object_key = ANY ($1)"
_REMOVED: Final = "DELETE FROM loose_objects WHERE object_key = ANY ($1)"
_PUT_OFF: Final = """
UPDATE loose_objects SET leaves = true, since = now() + make_interval(secs => $2)
WHERE object_key = ANY ($1)
"""
_KEEP: Final = "SELECT why, key, added FROM keep_artifact($1, $2, $3, $4, $5, $6, $7, $8, $9)"
_MEND: Final = "SELECT mend_content($1, $2, $3, $4, $5)"
# What another one removes just now is in a page, too, and not in the next.
_UNLINK: Final = """
WITH page AS (
    SELECT path FROM artifacts
    WHERE tenant_no = $1 AND workspace_id = $2
          AND (path = $3 OR (path > $3 || '/' AND path < $3 || '0'))
    LIMIT $4
), gone AS (
    DELETE FROM artifacts a USING page
    WHERE a.tenant_no = $1 AND a.workspace_id = $2 AND a.path = page.path
    RETURNING a.size
)
SELECT (SELECT count(*) FROM page) AS files, coalesce(sum(size), 0)::int8 AS held FROM gone
"""
_PAGE: Final = """
SELECT path FROM artifacts WHERE tenant_no = $1 AND workspace_id = $2 ORDER BY path LIMIT $3 FOR UPDATE
"""
# Of two files of one path the later one stays, on whichever side it was written.
_MAKE_ROOM: Final = """
DELETE FROM artifacts there USING artifacts here
WHERE here.tenant_no = $1 AND here.workspace_id = $2 AND here.path = ANY ($4)
      AND there.tenant_no = $1 AND there.workspace_id = $3 AND there.path = here.path
      AND there.updated_at <= here.updated_at
"""
_MOVE: Final = """
WITH gone AS (
    DELETE FROM artifacts WHERE tenant_no = $1 AND workspace_id = $2 AND path = ANY ($4)
    RETURNING path, content_no, size, updated_at
)
INSERT INTO artifacts (tenant_no, workspace_id, path, content_no, size, updated_at)
SELECT $1, $3, path, content_no, size, updated_at FROM gone
ON CONFLICT DO NOTHING
"""
_UNUSED: Final = """
SELECT tenant_no, array_agg(content_no) AS contents FROM (
    SELECT tenant_no, content_no FROM unused_contents
    WHERE since <= now() - make_interval(secs => $1) ORDER BY since LIMIT $2
) AS oldest
GROUP BY tenant_no
"""
_FREE: Final = "SELECT free_unused($1, $2, $3)"
_LOOSE: Final = """
SELECT object_key, size FROM loose_objects
WHERE (leaves AND since <= now()) OR since < now() - make_interval(secs => $1)
ORDER BY since LIMIT $2 FOR UPDATE SKIP LOCKED
"""


class Kept(NamedTuple):
    """What came of an attempt to have a path hold a content.

    `why` says why it does not, '' where it does: `key` is the object with its bytes then, and
    `added` by how many bytes the tenant's artifacts have grown.
    """

    why: str
    key: str
    added: int


async def begin_object(database: Database, key: str) -> None:
    """An object is about to be written; until something refers to it, it is a loose one."""
    await database.execute(_BEGIN, key)


async def give_up_objects(database: Database, keys: Sequence[str]) -> None:
    """Loose objects are to be removed at the next sweep."""
    await database.execute(_LEAVE, keys)


async def objects_removed(database: Database | Connection, keys: Sequence[str]) -> None:
    """Loose objects are not in the store any more."""
    await database.execute(_REMOVED, keys)


async def put_off(connection: Connection, keys: Sequence[str]) -> None:
    """Loose objects that could not be removed are to be tried again after a while."""
    await connection.execute(_PUT_OFF, keys, PUT_OFF_SECONDS)


async def keep(
    database: Database,
    tenant_no: int,
    workspace_id: int,
    path: str,
    owner: Owner,
    content: Content,
    key: str | None,
) -> Kept:
    """Have a path hold a content, in one round trip; `key` is its new object, None for none."""
    row = await database.fetchrow(
        _KEEP,
        *(tenant_no, workspace_id, path, content.sha256, content.size, key),
        *(owner.kind, int(owner.experiment_id), UUID(owner.id.removeprefix("m-"))),
    )
    assert row is not None
    return Kept(row["why"] or "", row["key"] or "", row["added"] or 0)


async def mend(database: Database, tenant_no: int, content: Content, broken: str, key: str) -> bool:
    """Give a content a new object in place of one that is lost; whether that was done."""
    done: bool = await database.fetchval(
        _MEND, tenant_no, content.sha256, content.size, broken, key
    )
    return done


async def unlink(connection: Connection, tenant_no: int, workspace_id: int, path: str) -> int:
    """Remove the file at a path and all below it; the bytes that they held."""
    held, files = 0, UNLINKED_AT_ONCE
    while files == UNLINKED_AT_ONCE:
        row = await connection.fetchrow(_UNLINK, tenant_no, workspace_id, path, UNLINKED_AT_ONCE)
        assert row is not None
        files, held = row["files"], held + row["held"]
    return held


async def move_page(
    connection: Connection, tenant_no: int, workspace_id: int, to: int, most: int
) -> int:
    """Move so many files to the same paths of another workspace; how many there were."""
    page = await connection.fetch(_PAGE, tenant_no, workspace_id, most)
    paths = [row["path"] for row in page]
    await connection.execute(_MAKE_ROOM, tenant_no, workspace_id, to, paths)
    await connection.execute(_MOVE, tenant_no, workspace_id, to, paths)
    return len(paths)


async def unused(database: Database, seconds: float, most: int) -> list[tuple[int, list[int]]]:
    """Contents that no path has held for so long, by their tenants."""
    rows = await database.fetch(_UNUSED, seconds, most)
    return [(row["tenant_no"], row["contents"]) for row in rows]


async def free_unused(
    database: Database, tenant_no: int, contents: Sequence[int], seconds: float
) -> int:
    """Free those of some contents that are still not held; how many are done with."""
    done: int = await database.fetchval(_FREE, tenant_no, contents, seconds)
    return done


async def loose(connection: Connection, most: int) -> dict[str, int]:
    """Objects to be removed and their sizes, locked until the transaction ends."""
    rows = await connection.fetch(_LOOSE, float(GIVEN_UP_SECONDS), most)
    return {row["object_key"]: row["size"] for row in rows}
