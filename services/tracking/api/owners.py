"""Whom an experiment belongs to, over our own REST: asked for, given to another, given up.

Whether the new owner is a member is auth's to know: ownership counts for a principal's subject, and
whoever is no member has no principal.
"""

from typing import Any, Final

from fastapi import APIRouter

from libs.common.http.own import Caller, Here
from services.tracking.commands.experiments import ensure_default, give_experiment
from services.tracking.model.experiments import experiment_number, no_experiment
from services.tracking.queries.access import insist_on_experiment
from services.tracking.queries.experiments import owner_of
from services.tracking.schemas.owners import OwnerBody

_READ: Final = "experiment.read"
_MANAGE: Final = "experiment.manage"
router = APIRouter(prefix="/api/maestro/v1/experiments", tags=["experiments"])


def _declares(permission: str) -> dict[str, Any]:
    """The permission in the OpenAPI document; the experiment at hand decides about it."""
    return {"openapi_extra": {"x-permission": permission}}


@router.get("/{experiment_id}/owner", **_declares(_READ))
async def get_experiment_owner(experiment_id: str, caller: Caller, running: Here) -> OwnerBody:
    """Whom an experiment belongs to: whoever sees the experiment may know whom to ask."""
    number = experiment_number(experiment_id)
    missing = no_experiment(number)
    await ensure_default(running, caller)
    await insist_on_experiment(running, caller, _READ, number, missing=missing)
    async with running.database.reading(caller.tenant_no) as connection:
        owner = await owner_of(connection, caller.tenant_no, caller.workspace_id, number)
    if owner is None:
        raise missing
    return OwnerBody(subject=owner)


@router.put("/{experiment_id}/owner", **_declares(_MANAGE))
async def put_experiment_owner(
    experiment_id: str, body: OwnerBody, caller: Caller, running: Here
) -> OwnerBody:
    """Give an experiment to a member or service account, or to nobody."""
    number = experiment_number(experiment_id)
    await give_experiment(running, caller, _MANAGE, number, body.subject)
    return body
