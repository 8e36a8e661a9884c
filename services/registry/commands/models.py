"""Registered models: created, described, tagged, renamed and deleted."""

from typing import Any

import asyncpg

from libs.common.access.guard import insist, insist_gives, not_allowed
from libs.common.access.permissions import READ_OF
from libs.common.contracts.registry import (
    RegisteredModelCreated,
    RegisteredModelDeleted,
    RegisteredModelRenamed,
)
from libs.common.database import Connection
from libs.common.errors import Refusal, exists
from libs.common.events.outbox import UnitOfWork, unit_of_work
from libs.common.principal import Principal
from libs.common.service import Running
from services.registry.commands import facts
from services.registry.model import names
from services.registry.model.entries import Model
from services.registry.queries import models as answers
from services.registry.store import models, versions


async def create(
    running: Running,
    principal: Principal,
    permission: str,
    name: str,
    description: str | None,
    tags: dict[str, str],
) -> dict[str, Any]:
    """Register a name; its model as MLflow answers it, which the caller owns."""
    names.check_model_name(name)
    async with unit_of_work(running, principal) as work:
        await _insist_registers(work.connection, principal, permission, name)
        model = await models.add(work.connection, principal, name, description, tags)
        if model is None:
            raise await _taken(work.connection, principal, name, tags)
        work.record(RegisteredModelCreated(version=model.version, model=facts.model_state(model)))
        return (await answers.answers(work.connection, principal, [model.model_no]))[0]


async def describe(
    running: Running, principal: Principal, permission: str, name: str, description: str
) -> dict[str, Any]:
    """Give a model another description."""
    async with unit_of_work(running, principal) as work:
        model = await locked(work.connection, principal, permission, name)
        await models.describe(work.connection, principal, model, description)
        work.record(facts.model_changed(model))
        return (await answers.answers(work.connection, principal, [model.model_no]))[0]


async def set_tag(
    running: Running, principal: Principal, permission: str, name: str, key: str, value: str
) -> None:
    """Set one tag of a model."""
    async with unit_of_work(running, principal) as work:
        model = await locked(work.connection, principal, permission, name)
        if model.tags.get(key) == value:
            work.silent("the tag is there already")
            return
        await models.set_tag(work.connection, principal, model, key, value)
        work.record(facts.model_changed(model))


async def delete_tag(
    running: Running, principal: Principal, permission: str, name: str, key: str
) -> None:
    """Remove one tag of a model; one that is not there is no error."""
    names.check_tag_key(key)
    async with unit_of_work(running, principal) as work:
        model = await locked(work.connection, principal, permission, name)
        if key not in model.tags:
            work.silent("there is no such tag")
            return
        await models.delete_tag(work.connection, principal, model, key)
        work.record(facts.model_changed(model))


async def rename(
    running: Running, principal: Principal, permission: str, name: str, new_name: str
) -> dict[str, Any]:
    """Give a model another name; its versions follow.

    Versions are told of by name and number, so each is told as gone under the old name: the tag
    `mlflow.modelVersions` of logged models names what exists, where MLflow keeps the old names.
    """
    names.check_new_name(new_name)
    try:
        async with unit_of_work(running, principal) as work:
            model = await locked(work.connection, principal, permission, name)
            before = await versions.load_all(work.connection, principal, model)
            last = max([model.version, model.floor, *(version.version + 1 for version in before)])
            _insist_takes(principal, permission, model, new_name)
            await models.rename(work.connection, principal, model, new_name)
            if new_name != name:
                await models.retire(work.connection, principal, name, last)
                for version in before:
                    work.record(facts.version_deleted(version))
            work.record(
                RegisteredModelRenamed(
                    version=model.version, model=facts.model_state(model), former_name=name
                )
            )
            for version in await versions.renamed(work.connection, principal, model):
                work.record(facts.version_changed(version))
            return (await answers.answers(work.connection, principal, [model.model_no]))[0]
    except asyncpg.UniqueViolationError:
        raise exists(f"Registered Model (name={new_name}) already exists.") from None


async def give(
    running: Running, principal: Principal, permission: str, name: str, owner: str
) -> None:
    """Give a model to another owner."""
    async with unit_of_work(running, principal) as work:
        model = await locked(work.connection, principal, permission, name)
        insist_gives(principal, "model", name, model.owner)
        if model.owner == owner:
            work.silent("it is theirs already")
            return
        await models.give(work.connection, principal, model, owner)
        work.record(facts.model_changed(model))


async def delete(running: Running, principal: Principal, permission: str, name: str) -> None:
    """Delete a model with all its versions, tags and aliases."""
    async with unit_of_work(running, principal) as work:
        model = await locked(work.connection, principal, permission, name)
        await remove_with_versions(work, principal, model)


async def remove_with_versions(work: UnitOfWork, principal: Principal, model: Model) -> None:
    """Delete a locked model with all that is its own."""
    gone = await versions.load_all(work.connection, principal, model)
    await models.remove(work.connection, principal, model)
    told = RegisteredModelDeleted(version=model.version + 1, model=facts.model_state(model))
    last = max([told.version, model.floor, *(version.version + 1 for version in gone)])
    await models.retire(work.connection, principal, model.name, last)
    for version in gone:
        work.record(facts.version_deleted(version))
    work.record(told)


async def locked(
    connection: Connection,
    principal: Principal,
    permission: str,
    name: str,
    missing: Refusal | None = None,
) -> Model:
    """A model on which the caller holds `permission`, locked.

    Where there is none, or none for this caller, `missing` is raised: without one, that the model
    is not there.
    """
    names.check_model_name(name)
    missing = missing or names.model_missing(name)
    model = await models.lock(connection, principal, name)
    if model is None:
        raise missing
    # Before its belongings are loaded: what is hidden costs what is not there.
    insist(principal, permission, name, model.owner, missing=missing)
    await models.furnish(connection, principal, model)
    return model


async def _insist_registers(
    connection: Connection, principal: Principal, permission: str, name: str
) -> None:
    """Refuse who may not register this name, whether it is taken or not.

    Who may add versions to the model that has the name learns that it exists: the stock client
    registers the name before each version.
    """
    selection = principal.rights.selection(permission, principal.workspace_id)
    if selection.covers(name):
        return
    holder = await models.lock(connection, principal, name)
    if holder is None or not selection.covers(name, holder.owner):
        raise not_allowed(permission, f"model {name!r}", "")


def _insist_takes(principal: Principal, permission: str, model: Model, new_name: str) -> None:
    """Refuse who may not give a model that name, whether it is taken or not.

    Ownership counts under a name that the owner may register too: else a model could be moved to
    where its owner may make none.
    """
    rights, workspace_id = principal.rights, principal.workspace_id
    owner = model.owner if rights.allows("model.register", workspace_id, new_name) else ""
    if not rights.allows(permission, workspace_id, new_name, owner):
        raise not_allowed(permission, f"model {new_name!r}", "")


async def _taken(
    connection: Connection, principal: Principal, name: str, tags: dict[str, str]
) -> Refusal:
    """Why a name cannot be registered: a model and a prompt cannot share one either."""
    new = old = "Prompt" if names.PROMPT_TAG in tags else "Registered Model"
    holder = await models.lock(connection, principal, name)
    if holder is not None and principal.rights.allows(
        READ_OF["model"], principal.workspace_id, name, holder.owner
    ):
        await models.furnish(connection, principal, holder)
        old = "Prompt" if names.PROMPT_TAG in holder.tags else "Registered Model"
    if old == new:
        return exists(f"{new} (name={name}) already exists.")
    return exists(
        f"Tried to create a {new.lower()} with name {name!r}, but the name is already taken by a"
        f" {old.lower()}. MLflow does not allow creating a model and a prompt with the same name."
    )
