"""Uploads in parts: begun, their parts kept, put together once, ended; the caller commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from libs.common.database import Connection, Database
from libs.common.principal import Principal
from services.tracking.model.contents import Content

# Who composes says so again before this is over; who does not was killed.
LEASE_SECONDS: Final = 60.0

_BEGIN: Final = """
INSERT INTO part_uploads (tenant_no, upload_id, tenant, workspace_id, path, subject, actor, scopes,
                          epoch)
VALUES ($1, $2, $3::uuid, $4, $5, $6, $7, $8, $9)
"""
_FORGET: Final = """
DELETE FROM part_uploads WHERE tenant_no = $1 AND begun_at < now() - interval '25 hours'
"""
_UNDER_WAY: Final = """
SELECT tenant::text AS tenant, workspace_id, path, subject, actor, scopes, epoch, held
FROM part_upload($1, $2)
"""
_KEEP: Final = "SELECT keep_part($1, $2, $3, $4, $5, $6)"
_FIND: Final = """
SELECT completed_at IS NOT NULL AS completed FROM part_uploads
WHERE tenant_no = $1 AND upload_id = $2 AND workspace_id = $3 AND path = $4
"""
_PARTS: Final = """
SELECT part_number, object_key, size, sha256 FROM parts
WHERE tenant_no = $1 AND upload_id = $2 ORDER BY part_number
"""
_LEASE: Final = """
UPDATE part_uploads SET composing_until = now() + make_interval(secs => $3)
WHERE tenant_no = $1 AND upload_id = $2 AND completed_at IS NULL
      AND (composing_until IS NULL OR composing_until < now() OR $4)
RETURNING true
"""
_RELEASE: Final = """
UPDATE part_uploads SET composing_until = NULL WHERE tenant_no = $1 AND upload_id = $2
"""
_COMPLETE: Final = """
UPDATE part_uploads SET completed_at = now() WHERE tenant_no = $1 AND upload_id = $2
"""
_DROP_PARTS: Final = """
WITH gone AS (
    DELETE FROM parts WHERE tenant_no = $1 AND upload_id = ANY ($2) RETURNING object_key
)
UPDATE loose_objects l SET leaves = true FROM gone WHERE l.object_key = gone.object_key
RETURNING l.object_key
"""
_DROP: Final = """
DELETE FROM part_uploads WHERE tenant_no = $1 AND upload_id = $2 AND completed_at IS NULL
"""
_OF_ACTOR: Final = """
SELECT upload_id FROM part_uploads
WHERE tenant_no = $1 AND actor = $2 AND completed_at IS NULL
FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class UnderWay:
    """An upload that takes parts, by the rights of whom; `held` counts all parts of the tenant."""

    tenant: str
    workspace_id: int
    path: str
    subject: str
    actor: str
    scopes: list[str]
    epoch: int
    held: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part that has come."""

    number: int
    key: str
    content: Content


async def begin(connection: Connection, principal: Principal, upload_id: UUID, path: str) -> None:
    """A new upload; those of the tenant that are over since a day are forgotten."""
    await connection.execute(_FORGET, principal.tenant_no)
    await connection.execute(
        _BEGIN,
        *(principal.tenant_no, upload_id, principal.tenant, principal.workspace_id, path),
        *(principal.subject, principal.actor, list(principal.scopes), principal.epoch),
    )


async def under_way(database: Database, tenant_no: int, upload_id: UUID) -> UnderWay | None:
    """An upload that takes parts, None where there is none; one round trip."""
    row = await database.fetchrow(_UNDER_WAY, tenant_no, upload_id)
    return None if row is None else UnderWay(**dict(row))


async def keep_part(database: Database, tenant_no: int, upload_id: UUID, part: Part) -> bool:
    """Note a part in place of an earlier one of its number; whether the upload still takes it."""
    kept: bool = await database.fetchval(
        _KEEP,
        *(tenant_no, upload_id, part.number, part.key, part.content.size, part.content.sha256),
    )
    return kept


async def is_completed(
    connection: Connection, principal: Principal, upload_id: UUID, path: str
) -> bool | None:
    """Whether an upload to a path is complete, None where there is none."""
    found: bool | None = await connection.fetchval(
        _FIND, principal.tenant_no, upload_id, principal.workspace_id, path
    )
    return found


async def parts(connection: Connection, tenant_no: int, upload_id: UUID) -> dict[int, Part]:
    """The parts that have come, by their numbers."""
    rows = await connection.fetch(_PARTS, tenant_no, upload_id)
    return {
        row["part_number"]: Part(
            row["part_number"], row["object_key"], Content(row["sha256"], row["size"])
        )
        for row in rows
    }


async def lease(
    connection: Connection, tenant_no: int, upload_id: UUID, *, again: bool = False
) -> bool:
    """Be the one who puts an upload together, for a while or `again`; false where another is."""
    taken = await connection.fetchval(_LEASE, tenant_no, upload_id, LEASE_SECONDS, again)
    return bool(taken)


async def release(connection: Connection, tenant_no: int, upload_id: UUID) -> None:
    """Whoever asks next may put the upload together."""
    await connection.execute(_RELEASE, tenant_no, upload_id)


async def complete(connection: Connection, tenant_no: int, upload_id: UUID) -> list[str]:
    """The upload is a file; the objects of its parts, which are to be removed."""
    await connection.execute(_COMPLETE, tenant_no, upload_id)
    return await _dropped(connection, tenant_no, [upload_id])


async def drop(connection: Connection, tenant_no: int, upload_id: UUID) -> list[str]:
    """The upload is given up, unless it is complete; the objects to be removed."""
    keys = await _dropped(connection, tenant_no, [upload_id])
    await connection.execute(_DROP, tenant_no, upload_id)
    return keys


async def drop_of_actor(connection: Connection, tenant_no: int, actor: str) -> None:
    """All that a credential has begun is given up; the sweep removes its objects."""
    rows = await connection.fetch(_OF_ACTOR, tenant_no, actor)
    for row in rows:
        await drop(connection, tenant_no, row["upload_id"])


async def _dropped(connection: Connection, tenant_no: int, ids: Sequence[UUID]) -> list[str]:
    rows = await connection.fetch(_DROP_PARTS, tenant_no, ids)
    return [row["object_key"] for row in rows]
