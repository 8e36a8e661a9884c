"""Who owns a model, over our own REST: tell it, give the model to another, give it up.

Whether the new owner is a member is auth's to know: ownership counts for a principal's subject, and
who is no member has no principal.
"""

from fastapi import APIRouter

from libs.common.http.own import Caller, Here, Permission, on_resource
from services.registry.commands import models as commands
from services.registry.model import names
from services.registry.queries import held
from services.registry.schemas import OwnerBody

router = APIRouter(prefix="/api/maestro/v1/models", tags=["models"])


@router.get("/{name:path}/owner", **on_resource("model.read"))
async def get_model_owner(
    name: str, caller: Caller, permission: Permission, running: Here
) -> OwnerBody:
    """The subject that owns a registered model: whoever sees the model may know whom to ask."""
    names.check_model_name(name)
    async with running.database.reading(caller.tenant_no) as connection:
        missing = names.model_missing(name)
        found = await held.owner(connection, caller, permission, name, missing)
    # Not checked again: a subject that was written before may have another form.
    return OwnerBody.model_construct(subject=found)


@router.put("/{name:path}/owner", **on_resource("model.manage"))
async def set_model_owner(
    name: str, body: OwnerBody, caller: Caller, permission: Permission, running: Here
) -> OwnerBody:
    """Give a registered model to another member, or to nobody.

    Who gives it away keeps what rules allow.
    """
    await commands.give(running, caller, permission, name, body.subject)
    return body
