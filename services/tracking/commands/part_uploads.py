"""Uploads in parts: begun by a principal, sent part by part by whoever holds a capability, put together.

A part is an object of its own, and a loose one: what is not put together within a day is removed by
the sweep. A part that is sent again takes the place of the first, so an upload that was cut goes on
with the parts that are missing. Putting together reads all parts in their order through the same hash
as any upload; that may take longer than a request should, so it goes on while its client asks again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from libs.common.errors import Refusal, invalid, missing, unavailable
from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.artifacts.checksums import Claims, Measured
from services.tracking.artifacts.paths import (
    Owner,
    clean_file,
    clean_folder,
    join,
    name_on_disk,
    new_key,
    owner_of,
)
from services.tracking.commands.artifacts import checked_owner, store_file, within_most
from services.tracking.commands.contents import remove_objects
from services.tracking.commands.quotas import part_within_quota
from services.tracking.model.capabilities import Capability
from services.tracking.model.contents import Content
from services.tracking.model.metrics import no_model
from services.tracking.model.runs import no_run
from services.tracking.queries.access import insist_on_experiment
from services.tracking.state import state_of
from services.tracking.store import contents, part_uploads

MOST_PARTS: Final = 10_000
# The gateway waits a minute for an answer; the client asks again seven times.
WAIT_SECONDS: Final = 40.0
_LOOK_SECONDS: Final = 0.5
_RENEW_SECONDS: Final = part_uploads.LEASE_SECONDS / 3
_PERMISSION: Final = "artifact.write"


class Target(NamedTuple):
    """Where an upload goes: a clean path below an owner."""

    path: str
    owner: Owner


async def target_of(
    running: Running, principal: Principal, permission: str, folder: str, local_path: str
) -> Target:
    """The file in a folder that has the name of one on the client's disk, if it may be written."""
    path = clean_file(join(clean_folder(folder), name_on_disk(local_path)))
    return Target(path, await checked_owner(running, principal, permission, path))


async def begin(
    running: Running, principal: Principal, target: Target, count: int
) -> list[Capability]:
    """A new upload of so many parts: one capability for each."""
    if not 1 <= count <= MOST_PARTS:
        raise invalid(f"num_parts must be between 1 and {MOST_PARTS} (got {count}).")
    if target.path == target.owner.folder:
        raise invalid("Artifact path must include a filename below the artifacts folder.")
    upload_id = uuid4()
    async with running.database.transaction(principal.tenant_no) as connection:
        await part_uploads.begin(connection, principal, upload_id, target.path)
    until = state_of(running).seal.until()
    return [
        Capability(principal.tenant_no, upload_id, number, until) for number in range(1, count + 1)
    ]


async def put_part(
    running: Running,
    capability: Capability,
    chunks: AsyncIterator[bytes],
    length: int | None,
    claims: Claims,
) -> Content:
    """Store a part, as long as who began the upload may still write there."""
    if length is None:
        raise invalid("A part comes with a Content-Length.")
    with state_of(running).receiving.entered(capability.tenant_no, length) as others:
        return await _put_part(running, capability, chunks, length, others, claims)


async def _put_part(
    running: Running,
    capability: Capability,
    chunks: AsyncIterator[bytes],
    length: int,
    others: int,
    claims: Claims,
) -> Content:
    tenant_no, upload_id = capability.tenant_no, capability.upload_id
    found = await part_uploads.under_way(running.database, tenant_no, upload_id)
    if found is None:
        raise _no_upload(upload_id.hex)
    principal = await _who_began(running, tenant_no, found)
    owner = owner_of(found.path)
    assert owner is not None
    absent = no_run(owner.id) if owner.kind == "run" else no_model(owner.id)
    await insist_on_experiment(
        running, principal, _PERMISSION, int(owner.experiment_id), missing=absent
    )
    chunks = within_most(running, chunks, length)
    chunks = await part_within_quota(running, principal, found.held + others, chunks, length)
    body, key = Measured(chunks, claims), new_key(principal.tenant)
    await contents.begin_object(running.database, key)
    try:
        await state_of(running).artifacts.put(key, body.checked(), length)
        part = part_uploads.Part(capability.part_number, key, body.content())
        if not await part_uploads.keep_part(running.database, tenant_no, upload_id, part):
            raise _no_upload(upload_id.hex)
    except BaseException:
        with suppress(Refusal):  # The sweep finds it later.
            await contents.give_up_objects(running.database, [key])
        raise
    return part.content


async def complete(
    running: Running,
    principal: Principal,
    target: Target,
    upload_id: str,
    given: Sequence[tuple[int, str]],
) -> None:
    """Make one file of the parts with these numbers and tags; once more does no harm."""
    number = _uuid(upload_id)
    async with running.database.reading(principal.tenant_no) as connection:
        completed = await part_uploads.is_completed(connection, principal, number, target.path)
        found = await part_uploads.parts(connection, principal.tenant_no, number)
    if completed is None:
        raise _no_upload(upload_id)
    if completed:
        return
    chosen = _chosen(found, given)
    composing = state_of(running).composing
    if number not in composing:
        task = asyncio.create_task(_compose(running, principal, target, number, chosen))
        composing[number] = task
        task.add_done_callback(lambda ended: _forget(composing, number, ended))
    await asyncio.wait({task := composing[number]}, timeout=WAIT_SECONDS)
    if not task.done():
        raise unavailable("The parts are still being put together; ask again.")
    if task.cancelled():
        raise _no_upload(upload_id)
    task.result()


async def abort(running: Running, principal: Principal, target: Target, upload_id: str) -> None:
    """Give up an upload with all its parts; one that is complete or not there stays so."""
    try:
        number = _uuid(upload_id)
    except Refusal:
        return
    # Before anything is ended: whoever asks may have no right to more than their own path.
    async with running.database.reading(principal.tenant_no) as connection:
        completed = await part_uploads.is_completed(connection, principal, number, target.path)
    if completed is not False:
        return
    if task := state_of(running).composing.get(number):
        task.cancel()
        await asyncio.wait({task})
    async with running.database.transaction(principal.tenant_no) as connection:
        completed = await part_uploads.is_completed(connection, principal, number, target.path)
        if completed is not False:
            return
        keys = await part_uploads.drop(connection, principal.tenant_no, number)
    await remove_objects(running, keys)


async def _who_began(running: Running, tenant_no: int, found: part_uploads.UnderWay) -> Principal:
    """Who began an upload, with the rights that they have now."""
    principal = Principal(
        tenant=found.tenant,
        tenant_no=tenant_no,
        workspace_id=found.workspace_id,
        subject=found.subject,
        actor=found.actor,
        scopes=tuple(found.scopes),
        audience=running.name,
        epoch=found.epoch,
        expires_at=0,
        token="",
    )
    return replace(principal, rights=await running.authority.rights(principal))


def _chosen(
    found: dict[int, part_uploads.Part], given: Sequence[tuple[int, str]]
) -> list[part_uploads.Part]:
    """The parts that the client names, in the order of their numbers."""
    if not given:
        raise invalid("Missing value for required parameter 'parts'.")
    for number, tag in given:
        part = found.get(number)
        if part is None:
            raise invalid(f"Part {number} of the upload has not come.")
        if tag.strip('"') != part.content.tag.strip('"'):
            raise invalid(f"Part {number} of the upload has another ETag: {part.content.tag}.")
    numbers = [number for number, _ in given]
    if len(set(numbers)) < len(numbers):
        raise invalid("A part of the upload is named twice.")
    return [found[number] for number in sorted(numbers)]


async def _compose(
    running: Running,
    principal: Principal,
    target: Target,
    upload_id: UUID,
    parts: Sequence[part_uploads.Part],
) -> None:
    tenant_no = principal.tenant_no
    if not await _our_turn(running, principal, target, upload_id):
        return
    length = sum(part.content.size for part in parts)
    chunks = within_most(running, _joined(running, tenant_no, upload_id, parts), length)
    try:
        await store_file(running, principal, target.owner, target.path, chunks, length, {})
    except BaseException:
        with suppress(Refusal):
            async with running.database.transaction(tenant_no) as connection:
                await part_uploads.release(connection, tenant_no, upload_id)
        raise
    async with running.database.transaction(tenant_no) as connection:
        keys = await part_uploads.complete(connection, tenant_no, upload_id)
    await remove_objects(running, keys)


async def _our_turn(
    running: Running, principal: Principal, target: Target, upload_id: UUID
) -> bool:
    """Wait until nobody else puts the upload together; false where that is done then."""
    while True:
        async with running.database.transaction(principal.tenant_no) as connection:
            if await part_uploads.lease(connection, principal.tenant_no, upload_id):
                return True
            completed = await part_uploads.is_completed(
                connection, principal, upload_id, target.path
            )
        if completed is None:
            raise _no_upload(upload_id.hex)
        if completed:
            return False
        await asyncio.sleep(_LOOK_SECONDS)


async def _joined(
    running: Running, tenant_no: int, upload_id: UUID, parts: Sequence[part_uploads.Part]
) -> AsyncIterator[bytes]:
    """The bytes of all parts, one after the other; ends in a refusal where the upload is given up."""
    artifacts = state_of(running).artifacts
    renewed = time.monotonic()
    for part in parts:
        found = await artifacts.find(part.key)
        if found is None or found.size != part.content.size:
            raise _no_upload(upload_id.hex)
        async for chunk in artifacts.read(found, 0, found.size):
            yield chunk
        # Also after the last one: it may have been aborted at another process.
        if part is parts[-1] or time.monotonic() > renewed + _RENEW_SECONDS:
            renewed = time.monotonic()
            async with running.database.transaction(tenant_no) as connection:
                if not await part_uploads.lease(connection, tenant_no, upload_id, again=True):
                    raise _no_upload(upload_id.hex)


def _forget(
    composing: dict[UUID, asyncio.Task[None]], upload_id: UUID, ended: asyncio.Task[None]
) -> None:
    composing.pop(upload_id, None)
    if not ended.cancelled():
        ended.exception()  # told to whoever asks; there may be nobody


def _uuid(upload_id: str) -> UUID:
    try:
        return UUID(upload_id)
    except ValueError:
        raise _no_upload(upload_id) from None


def _no_upload(upload_id: str) -> Refusal:
    return missing(f"Multipart upload with ID '{upload_id}' not found: it is over, or never began.")
