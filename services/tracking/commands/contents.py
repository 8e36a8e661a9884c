"""Contents: bytes are stored once for a tenant, and freed some time after the last path let go.

Bytes go to an object of their own while they are hashed; then one transaction has the path hold
the content, and an object whose content was there before is removed. Before an object's first
byte a row tells of it, which leaves in that transaction: whenever a process dies, what it leaves
is found by the sweep.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from libs.common.database import Connection
from libs.common.errors import Refusal, invalid, unavailable
from libs.common.failpoints import reach
from libs.common.principal import Principal
from libs.common.service import Running
from libs.common.telemetry.logs import logger
from services.tracking.artifacts.checksums import Measured
from services.tracking.artifacts.objects import MIB
from services.tracking.artifacts.paths import Owner, new_key
from services.tracking.metrics import FREED_BYTES, FREED_OBJECTS
from services.tracking.model.contents import Content, both_file_and_folder
from services.tracking.model.metrics import no_model
from services.tracking.model.runs import no_run, not_active
from services.tracking.state import state_of
from services.tracking.store import contents as store

# So little is kept in memory until its hash says whether it has to be written at all.
SMALL_BYTES: Final = MIB
PAGE: Final = 500
# A store that does not remove so many of a page may be away: the rest waits for the next sweep.
MOST_STUCK: Final = 3
_log = logger(__name__)


class Freed(NamedTuple):
    """What a sweep has removed from the store; of uploads that were cut the size is not known."""

    objects: int
    bytes: int


async def put_content(
    running: Running,
    principal: Principal,
    owner: Owner,
    path: str,
    body: Measured,
    length: int | None,
) -> int:
    """Store a body and have a clean path of `owner` hold it; by how much the tenant's bytes grew."""
    chunks = body.checked()
    place = _Place(running, principal, owner, path)
    if length is not None and length <= SMALL_BYTES:
        whole = b"".join([chunk async for chunk in chunks])
        insist_length(len(whole), length)
        kept = await place.hold(body.content(), None)
        if kept.why == "" and await _is_whole(running, kept.key, length):
            return kept.added
        chunks = _once(whole)
    return await _written(place, body, chunks, length)


async def unlink_below(connection: Connection, tenant_no: int, workspace_id: int, path: str) -> int:
    """Remove the file at a clean path and all files below it; the bytes that they held.

    For the caller's transaction. Contents that nothing holds any more are freed by the sweep.
    """
    if not path:
        raise ValueError("the uppermost folder is never removed as a whole")
    return await store.unlink(connection, tenant_no, workspace_id, path)


async def free_contents(running: Running, grace_seconds: float) -> Freed:
    """One sweep over all tenants: remove what no path has held for that long, and cut uploads."""
    progress = True
    while progress:
        found = await store.unused(running.database, grace_seconds, PAGE)
        done = [
            await store.free_unused(running.database, tenant_no, contents, grace_seconds)
            for tenant_no, contents in found
        ]
        progress = sum(done) > 0
    objects = size = 0
    while removed := await _remove_page(running):
        objects += len(removed)
        size += sum(removed.values())
    FREED_OBJECTS.inc(objects)
    FREED_BYTES.inc(size)
    return Freed(objects, size)


async def _remove_page(running: Running) -> dict[str, int]:
    async with running.database.transaction() as connection:
        found = await store.loose(connection, PAGE)
        if not found:
            return {}
        gone, stuck = await _remove_from_store(running, list(found))
        await store.objects_removed(connection, gone)
        await store.put_off(connection, stuck)
    return {key: found[key] for key in gone}


async def _remove_from_store(running: Running, keys: list[str]) -> tuple[list[str], list[str]]:
    """Remove objects from the store: which are gone, and which it did not remove."""
    artifacts = state_of(running).artifacts
    with suppress(Refusal):
        await artifacts.delete(keys)
        return keys, []
    # One after the other, so that one that cannot be removed does not keep the others.
    gone: list[str] = []
    stuck: list[str] = []
    for key in keys:
        try:
            await artifacts.delete([key])
        except Refusal as problem:
            _log.error("object_not_removed", key=key, error=problem.message)
            stuck.append(key)
            if len(stuck) == MOST_STUCK:
                break
        else:
            gone.append(key)
    return gone, stuck


class _Place:
    """A path that is to hold a content."""

    def __init__(self, running: Running, principal: Principal, owner: Owner, path: str) -> None:
        self.running = running
        self.principal = principal
        self._owner = owner
        self._path = path

    async def hold(self, content: Content, key: str | None) -> store.Kept:
        """Hold a content, in a new object `key` or, without one, where it is there already."""
        reach("write.before-commit")
        kept = await store.keep(
            self.running.database,
            *(self.principal.tenant_no, self.principal.workspace_id, self._path, self._owner),
            *(content, key),
        )
        if kept.why == "late" and key is not None:  # no row tells of it any more
            await state_of(self.running).artifacts.delete([key])
        if kept.why not in ("", "unknown"):
            raise _refused(self._owner, kept.why)
        reach("write.after-commit")
        return kept


async def _written(
    place: _Place, body: Measured, chunks: AsyncIterator[bytes], length: int | None
) -> int:
    running = place.running
    key = new_key(place.principal.tenant)
    await store.begin_object(running.database, key)
    try:
        await state_of(running).artifacts.put(key, chunks, length)
        reach("artifact.written")
        kept = await place.hold(body.content(), key)
    except BaseException:
        with suppress(Refusal):  # The sweep finds it later.
            await store.give_up_objects(running.database, [key])
        raise
    if kept.key != key and not await _is_whole(running, kept.key, body.content().size):
        await _mended(running, place.principal.tenant_no, body.content(), kept.key, key)
    elif kept.key != key:
        await remove_objects(running, [key])
    return kept.added


async def _mended(
    running: Running, tenant_no: int, content: Content, broken: str, key: str
) -> None:
    # What was there before is not whole, so the new object must not go as a second one.
    if not await store.mend(running.database, tenant_no, content, broken, key):
        raise unavailable("The artifact could not be stored just now; try again.")


async def _is_whole(running: Running, key: str, size: int) -> bool:
    found = await state_of(running).artifacts.find(key)
    return found is not None and found.size == size


async def remove_objects(running: Running, keys: Iterable[str]) -> None:
    """Remove loose objects that are given up; what cannot be removed now is left to the sweep."""
    listed = list(keys)
    with suppress(Refusal):
        await state_of(running).artifacts.delete(listed)
        await store.objects_removed(running.database, listed)


def insist_length(count: int, length: int) -> None:
    """Refuse a body that is not as long as was said."""
    if count != length:
        raise invalid(f"The body has not the {length} bytes of its Content-Length; it ended early.")


def _refused(owner: Owner, why: str) -> Refusal:
    """Why a path cannot hold a file."""
    if why == "both":
        return both_file_and_folder()
    if why == "late":
        return unavailable("The upload took too long; send it again.")
    if owner.kind == "run":
        return no_run(owner.id) if why == "absent" else not_active(owner.id, why)
    # A deleted model reads as a missing one, as in MLflow; a deleted run does not.
    return no_model(owner.id)


async def _once(whole: bytes) -> AsyncIterator[bytes]:
    yield whole
