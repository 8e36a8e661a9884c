"""Who owns a model, over our own REST: tell it, and give the model to another."""

from fastapi import APIRouter

from libs.common.http.own import Caller, Here, Permission, on_resource
from services.registry.commands import models as commands
from services.registry.model import names
from services.registry.queries import held
from services.registry.schemas import OwnerAnswer, OwnerBody

router = APIRouter(prefix="/api/maestro/v1/models", tags=["models"])


@router.get("/{name:path}/owner", **on_resource("model.manage"))
async def get_model_owner(
    name: str, caller: Caller, permission: Permission, running: Here
) -> OwnerAnswer:
    """The subject that owns a registered model and may do everything with it."""
    names.check_model_name(name)
    async with running.database.reading(caller.tenant_no) as connection:
        missing = names.model_missing(name)
        found = await held.owner(connection, caller, permission, name, missing)
    return OwnerAnswer(subject=found)


@router.put("/{name:path}/owner", **on_resource("model.manage"))
async def set_model_owner(
    name: str, body: OwnerBody, caller: Caller, permission: Permission, running: Here
) -> OwnerAnswer:
    """Give a registered model to another member; who gives it away keeps what rules allow."""
    await commands.give(running, caller, permission, name, body.subject)
    return OwnerAnswer(subject=body.subject)
