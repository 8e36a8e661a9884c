"""Artifacts: store and remove files, below a run or logged model that is there and active.

There may be thousands in a run, and nobody waits for one, so no fact tells of them.
"""

from collections.abc import AsyncIterator
from uuid import UUID

from libs.common.errors import Refusal, invalid, too_large
from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.artifacts.checksums import Claims, Measured
from services.tracking.artifacts.paths import Owner, clean_file, clean_folder, owner_of
from services.tracking.commands.contents import put_content, unlink_below
from services.tracking.commands.quotas import note_bytes, within_quota
from services.tracking.model.metrics import no_model
from services.tracking.model.runs import no_run, not_active
from services.tracking.queries.access import insist_on_experiment
from services.tracking.queries.artifacts import owner_stage


async def store_artifact(
    running: Running,
    principal: Principal,
    permission: str,
    path: str,
    chunks: AsyncIterator[bytes],
    length: int | None,
    claims: Claims,
) -> None:
    """Store a file at a path as the client wrote it: all of it, or nothing and a refusal."""
    clean = clean_file(path)
    chunks = within_most(running, chunks, length)
    owner = await checked_owner(running, principal, permission, clean)
    await store_file(running, principal, owner, clean, chunks, length, claims)


async def store_file(
    running: Running,
    principal: Principal,
    owner: Owner,
    path: str,
    chunks: AsyncIterator[bytes],
    length: int | None,
    claims: Claims,
) -> None:
    """Store a file at a clean path below an owner that the caller may write to."""
    if path == owner.folder:
        raise invalid("Artifact path must include a filename below the artifacts folder.")
    chunks = await within_quota(running, principal, path, chunks, length)
    added = await put_content(running, principal, owner, path, Measured(chunks, claims), length)
    note_bytes(running, principal, added)


def within_most(
    running: Running, chunks: AsyncIterator[bytes], length: int | None
) -> AsyncIterator[bytes]:
    """The chunks of a file, ending in a refusal 413 where one so large is not taken here."""
    most = running.settings.artifact_max_bytes
    return _bounded(chunks, length or 0, most) if most else chunks


async def _bounded(chunks: AsyncIterator[bytes], length: int, most: int) -> AsyncIterator[bytes]:
    """The chunks, ending in a refusal where they are more than `most` bytes, or are said to be."""
    refusal = too_large(
        f"The artifact is larger than {most} bytes: raise TRACKING_ARTIFACT_MAX_BYTES to store it."
    )
    if length > most:
        raise refusal
    count = 0
    async for chunk in chunks:
        count += len(chunk)
        if count > most:
            raise refusal
        yield chunk


async def delete_artifacts(
    running: Running, principal: Principal, permission: str, path: str
) -> None:
    """Remove a file, or a folder with all that is below; nothing there is no error."""
    clean = clean_folder(path)
    await checked_owner(running, principal, permission, clean)
    tenant_no, workspace_id = principal.tenant_no, principal.workspace_id
    async with running.database.transaction(tenant_no) as connection:
        held = await unlink_below(connection, tenant_no, workspace_id, clean)
    note_bytes(running, principal, -held)


async def checked_owner(
    running: Running, principal: Principal, permission: str, path: str
) -> Owner:
    """The active run or logged model that a clean path lies below, if the caller may do this there."""
    owner = owner_of(path)
    if owner is None:
        raise invalid(
            "Invalid path: artifacts lie below the artifact URI of a run or a logged model."
        )
    absent = no_run(owner.id) if owner.kind == "run" else no_model(owner.id)
    # The path names the experiment, and below one that it is not in nothing is found.
    await insist_on_experiment(
        running, principal, permission, int(owner.experiment_id), missing=absent
    )
    stage = await owner_stage(
        running.database,
        principal.tenant_no,
        principal.workspace_id,
        owner.kind,
        int(owner.experiment_id),
        UUID(owner.id.removeprefix("m-")),
    )
    if stage is None:
        raise absent
    if stage != "active":
        raise _not_active(owner, stage)
    return owner


def _not_active(owner: Owner, stage: str) -> Refusal:
    # A deleted model reads as a missing one, as in MLflow; a deleted run does not.
    return not_active(owner.id, stage) if owner.kind == "run" else no_model(owner.id)
