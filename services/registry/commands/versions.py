"""Model versions: created, described, tagged, moved between stages and deleted."""

from dataclasses import dataclass

import msgspec

from libs.common.access.guard import insist
from libs.common.contracts.registry import ModelVersionCreated, ModelVersionTransitioned
from libs.common.database import Connection
from libs.common.events.outbox import UnitOfWork, unit_of_work
from libs.common.principal import Principal
from libs.common.service import Running
from services.registry.commands import facts, origins
from services.registry.commands.models import locked
from services.registry.commands.origins import Claim
from services.registry.model import names, stages
from services.registry.model.entries import Model, Origin, Version
from services.registry.model.sources import being_removed
from services.registry.queries import versions as answers
from services.registry.store import condemned, models, versions


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What a request wants registered; `claim` says where it comes from."""

    name: str
    claim: Claim
    description: str
    run_link: str
    tags: dict[str, str]


async def create(
    running: Running, principal: Principal, permission: str, new: NewVersion
) -> msgspec.Raw:
    """Register the next version of a model; it is ready at once."""
    # Before the transaction, as it may wait for a fact or ask another service.
    resolve = origins.prompt if names.is_prompt(new.tags) else origins.resolve
    origin = await resolve(running, principal, new.claim)
    names.check_model_name(new.name)
    async with unit_of_work(running, principal) as work:
        missing = names.model_missing(new.name)
        taken = await versions.take_number(work.connection, principal, new.name)
        if taken is None:
            raise missing
        insist(principal, permission, new.name, taken.owner, missing=missing)
        await _insist_stays(work.connection, principal, origin)
        version = await versions.add(
            work.connection,
            principal,
            new.name,
            taken,
            origin,
            description=new.description,
            run_link=new.run_link,
            tags=new.tags,
        )
        state = facts.version_state(version)
        work.record(ModelVersionCreated(version=version.version, model_version=state))
        return await _answer(work, principal, version)


async def describe(
    running: Running,
    principal: Principal,
    permission: str,
    name: str,
    number: int,
    description: str | None,
) -> msgspec.Raw:
    """Give a version another description; None takes it away."""
    async with unit_of_work(running, principal) as work:
        version = await _locked(work.connection, principal, permission, name, number)
        await versions.describe(work.connection, principal, version, description)
        work.record(facts.version_changed(version))
        return await _answer(work, principal, version)


async def set_tag(
    running: Running,
    principal: Principal,
    permission: str,
    name: str,
    number: int,
    key: str,
    value: str,
) -> None:
    """Set one tag of a version."""
    async with unit_of_work(running, principal) as work:
        version = await _locked(work.connection, principal, permission, name, number)
        if version.tags.get(key) == value:
            work.silent("the tag is there already")
            return
        await versions.set_tag(work.connection, principal, version, key, value)
        work.record(facts.version_changed(version))


async def delete_tag(
    running: Running, principal: Principal, permission: str, name: str, number: int, key: str
) -> None:
    """Remove one tag of a version; one that is not there is no error."""
    names.check_tag_key(key)
    async with unit_of_work(running, principal) as work:
        version = await _locked(work.connection, principal, permission, name, number)
        if key not in version.tags:
            work.silent("there is no such tag")
            return
        await versions.delete_tag(work.connection, principal, version, key)
        work.record(facts.version_changed(version))


async def transition(
    running: Running,
    principal: Principal,
    permission: str,
    name: str,
    number: int,
    stage: str,
    *,
    archive: bool,
) -> msgspec.Raw:
    """Move a version to a stage; `archive` moves those that stand there out of its way.

    Both happen in one transaction, so that no reader sees two versions there, or none.
    """
    target = stages.canonical_for_archiving(stage) if archive else stages.canonical(stage)
    async with unit_of_work(running, principal) as work:
        model, version = await _both_locked(work.connection, principal, permission, name, number)
        if archive:
            for other in await versions.archive_others(work.connection, principal, version, target):
                _record_move(work, other, former=target)
        former = version.stage
        await versions.move(work.connection, principal, version, target)
        await models.touch(work.connection, principal, model)
        _record_move(work, version, former=former)
        return await _answer(work, principal, version)


async def delete(
    running: Running, principal: Principal, permission: str, name: str, number: int
) -> None:
    """Delete a version and the aliases that point at it; its number is not used again."""
    async with unit_of_work(running, principal) as work:
        model, version = await _both_locked(work.connection, principal, permission, name, number)
        await versions.remove(work.connection, principal, version)
        told = facts.version_deleted(version)
        work.record(told)
        kept = {alias: at for alias, at in model.aliases.items() if at != number}
        model.floor = max(model.floor, told.version)
        if kept != model.aliases:
            model.aliases = kept
            model.version += 1
            work.record(facts.model_changed(model))
        await models.touch(work.connection, principal, model)


async def _insist_stays(connection: Connection, principal: Principal, origin: Origin) -> None:
    """Refuse what tracking is about to remove, of which the registry has said that it may be."""
    named = [origin.run_id, origin.logged_model_id]
    await condemned.lock_sources(connection, principal.tenant_no, named)
    gone = await condemned.condemned_among(connection, principal.tenant_no, named)
    if gone is not None:
        raise being_removed(gone)


def _record_move(work: UnitOfWork, version: Version, *, former: str) -> None:
    work.record(
        ModelVersionTransitioned(
            version=version.version,
            model_version=facts.version_state(version),
            former_stage=former,
        )
    )


async def _answer(work: UnitOfWork, principal: Principal, version: Version) -> msgspec.Raw:
    key = version.model_no, version.number
    return (await answers.answers(work.connection, principal, [key], aliases=True))[key]


async def _locked(
    connection: Connection, principal: Principal, permission: str, name: str, number: int
) -> Version:
    """A version on whose model the caller holds `permission`, locked."""
    missing = names.version_missing(name, number)
    found = await versions.lock(connection, principal, name, number)
    if found is None:
        raise missing
    # Before it is loaded: what is hidden costs what is not there.
    insist(principal, permission, name, found.owner, missing=missing)
    version = await versions.load(connection, principal, found)
    if version is None:
        raise missing
    return version


async def _both_locked(
    connection: Connection, principal: Principal, permission: str, name: str, number: int
) -> tuple[Model, Version]:
    # Model before version: every command locks in this order.
    missing = names.version_missing(name, number)
    model = await locked(connection, principal, permission, name, missing)
    return model, await _locked(connection, principal, permission, name, number)
