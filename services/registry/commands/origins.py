"""Where a new version comes from: its source resolved, and vouched for by run or logged model."""

from dataclasses import dataclass

from libs.common.access.permissions import READ_OF
from libs.common.errors import missing
from libs.common.principal import Principal
from libs.common.service import Running
from services.registry.commands import known
from services.registry.model import sources
from services.registry.model.entries import KnownModel, Origin
from services.registry.model.names import version_number
from services.registry.model.sources import (
    ArtifactSource,
    LoggedModelSource,
    RunSource,
    VersionSource,
)
from services.registry.model.stages import ALL, canonical
from services.registry.queries import lineage, versions


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says of a version's origin; an id that is None was not sent."""

    source: str
    run_id: str | None
    model_id: str | None

    @property
    def owner(self) -> sources.Owner:
        """The field that has to vouch for the source."""
        return "model_id" if self.model_id else "run_id"


async def resolve(running: Running, principal: Principal, claim: Claim) -> Origin:
    """The origin behind a claim; refused where it is not the caller's, or not what is claimed."""
    source = sources.parse(claim.source, claim.owner)
    if isinstance(source, VersionSource):
        return await _copied(running, principal, claim, source)
    if isinstance(source, LoggedModelSource):
        if source.model_id != claim.model_id:
            raise sources.not_vouched(claim.source, "model_id")
        model = await _model(running, principal, claim)
        return await _of_model(running, principal, claim, model, model.artifact_uri)
    if claim.model_id:
        model = await _model(running, principal, claim)
        if not (isinstance(source, ArtifactSource) and source.lies_in(model.artifact_uri)):
            raise sources.not_vouched(claim.source, "model_id")
        return await _of_model(running, principal, claim, model, source.uri)
    return await _of_run(running, principal, claim, source)


async def prompt(running: Running, principal: Principal, claim: Claim) -> Origin:
    """The origin of a prompt's version: it has no files, and seldom a run."""
    sources.check_prompt_source(claim.source)
    run_id, model_id = claim.run_id or "", claim.model_id or ""
    if model_id:
        model = await _model(running, principal, claim)
        return await _of_model(running, principal, claim, model, claim.source)
    if run_id:
        await _check_run(running, principal, run_id)
    return Origin(claim.source, claim.source, run_id, model_id)


async def _copied(
    running: Running, principal: Principal, claim: Claim, source: VersionSource
) -> Origin:
    """A copy of another version: it has the origin's files, run and logged model."""
    async with running.database.reading(principal.tenant_no) as connection:
        await lineage.check_not_prompt(connection, principal, source.name, claim.source)
        if source.number:
            number = version_number(source.name, source.number)
        elif source.alias:
            (_, number), _ = await versions.by_alias(
                connection, principal, READ_OF["model"], source.name, source.alias
            )
        else:
            stages = [canonical(source.stage)] if source.stage else list(ALL)
            keys = await versions.latest_keys_of(
                connection, principal, READ_OF["model"], source.name, stages
            )
            number = max((number for _, number in keys), default=0)
            if not number:
                raise missing(f"No versions of model with name '{source.name}' found")
        origin = await lineage.origin(connection, principal, source.name, number)
    if (claim.run_id is not None and claim.run_id != origin.run_id) or (
        claim.model_id is not None and claim.model_id != origin.logged_model_id
    ):
        raise sources.not_matching(claim.source)
    return origin


async def _of_model(
    running: Running, principal: Principal, claim: Claim, model: KnownModel, location: str
) -> Origin:
    run_id = claim.run_id or model.source_run_id
    if run_id != model.source_run_id:
        await _check_run(running, principal, run_id)
    return Origin(claim.source, location, run_id, model.model_id)


async def _of_run(
    running: Running,
    principal: Principal,
    claim: Claim,
    source: RunSource | ArtifactSource,
) -> Origin:
    run_id = claim.run_id or ""
    named = source.run_id if isinstance(source, RunSource) else run_id
    found = (
        await known.readable_run(running, principal, run_id) if run_id and named == run_id else None
    )
    if found is None:
        raise sources.not_vouched(claim.source, "run_id")
    if isinstance(source, RunSource):
        # Kept as it is, as MLflow does: its client knows the run's models by their names.
        return Origin(claim.source, claim.source, run_id, "")
    if not source.lies_in(found.artifact_uri):
        raise sources.not_vouched(claim.source, "run_id")
    return Origin(claim.source, source.uri, run_id, "")


async def _model(running: Running, principal: Principal, claim: Claim) -> KnownModel:
    found = await known.readable_model(running, principal, claim.model_id or "")
    if found is None:
        raise sources.not_vouched(claim.source, "model_id")
    return found


async def _check_run(running: Running, principal: Principal, run_id: str) -> None:
    if await known.readable_run(running, principal, run_id) is None:
        raise missing(f"Run with id={run_id} not found")
