"""Aliases: names of a model's own that point at one of its versions."""

from libs.common.events.outbox import unit_of_work
from libs.common.principal import Principal
from libs.common.service import Running
from services.registry.commands import facts
from services.registry.commands.models import locked
from services.registry.model import names
from services.registry.store import models, versions


async def point(
    running: Running, principal: Principal, permission: str, name: str, alias: str, version: str
) -> None:
    """Point an alias at a version, away from the one it pointed at."""
    names.check_model_name(name)
    names.check_settable_alias(alias)
    number = names.version_number(name, version)
    async with unit_of_work(running, principal) as work:
        # Model before version: every command locks in this order.
        missing = names.version_missing(name, number)
        model = await locked(work.connection, principal, permission, name, missing)
        if not await versions.exists(work.connection, principal, model, number):
            raise missing
        if model.aliases.get(alias) == number:
            work.silent("the alias points there already")
            return
        await models.set_alias(work.connection, principal, model, alias, number)
        work.record(facts.model_changed(model))


async def remove(
    running: Running, principal: Principal, permission: str, name: str, alias: str
) -> None:
    """Remove an alias; one that is not there is no error."""
    names.check_model_name(name)
    names.check_alias(alias)
    async with unit_of_work(running, principal) as work:
        model = await locked(work.connection, principal, permission, name)
        if alias not in model.aliases:
            work.silent("there is no such alias")
            return
        await models.delete_alias(work.connection, principal, model, alias)
        work.record(facts.model_changed(model))
