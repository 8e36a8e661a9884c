"""Artifacts: store and remove files, below a run or logged model that is there and active.

They lie in the object store and not in the database, so no fact tells of them.
"""

from collections.abc import AsyncIterator
from uuid import UUID

from libs.common.errors import Refusal, invalid, too_large
from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.artifacts.paths import Owner, clean_file, clean_folder, object_key, owner_of
from services.tracking.commands.quotas import delete_counted, put_within_quota
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
) -> None:
    """Store a file at a path as the client wrote it: all of it, or nothing and a refusal."""
    clean = clean_file(path)
    most = running.settings.artifact_max_bytes
    if most:
        chunks = _bounded(chunks, length or 0, most)
    owner = await _checked_owner(running, principal, permission, clean)
    if clean == owner.folder:
        raise invalid("Artifact path must include a filename below the artifacts folder.")
    await put_within_quota(running, principal, _key(principal, clean), chunks, length)


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
    await _checked_owner(running, principal, permission, clean)
    await delete_counted(running, principal, _key(principal, clean))


async def _checked_owner(
    running: Running, principal: Principal, permission: str, path: str
) -> Owner:
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


def _key(principal: Principal, path: str) -> str:
    return object_key(principal.tenant, principal.workspace_id, path)
