"""How long an experiment keeps what is deleted, over our own REST."""

from typing import Final

from fastapi import APIRouter

from libs.common.http.own import Caller, Here, Permission, on_resource
from libs.common.service import Running
from services.tracking.commands.experiments import ensure_default
from services.tracking.commands.retention import clear_rule, set_rule
from services.tracking.model.experiments import experiment_number, no_experiment
from services.tracking.model.retention import Retention
from services.tracking.queries.access import insist_on_experiment
from services.tracking.queries.retention import rule_of
from services.tracking.schemas.retention import NewRetentionBody, RetentionBody
from services.tracking.settings import Settings

_READ: Final = "experiment.read"
_MANAGE: Final = "experiment.manage"
router = APIRouter(prefix="/api/maestro/v1/experiments", tags=["retention"])


@router.get("/{experiment_id}/retention", **on_resource(_READ))
async def get_retention(
    experiment_id: str, caller: Caller, running: Here, permission: Permission
) -> RetentionBody:
    """The rule that an experiment goes by."""
    number = experiment_number(experiment_id)
    missing = no_experiment(number)
    await ensure_default(running, caller)
    await insist_on_experiment(running, caller, permission, number, missing=missing)
    default = _default(running)
    async with running.database.reading(caller.tenant_no) as connection:
        rule = await rule_of(connection, caller.tenant_no, caller.workspace_id, number, default)
    if rule is None:
        raise missing
    return _shown(rule, default)


@router.put("/{experiment_id}/retention", **on_resource(_MANAGE))
async def put_retention(
    experiment_id: str,
    body: NewRetentionBody,
    caller: Caller,
    running: Here,
    permission: Permission,
) -> RetentionBody:
    """Give an experiment a rule of its own."""
    number = experiment_number(experiment_id)
    rule = Retention(body.deleted_days, body.finished_days, body.archive_days, own=True)
    await set_rule(running, caller, permission, number, rule)
    return _shown(rule, _default(running))


@router.delete("/{experiment_id}/retention", **on_resource(_MANAGE))
async def delete_retention(
    experiment_id: str, caller: Caller, running: Here, permission: Permission
) -> RetentionBody:
    """Let an experiment go by the platform's rule, which is answered."""
    number = experiment_number(experiment_id)
    await clear_rule(running, caller, permission, number)
    default = _default(running)
    return _shown(default, default)


def _default(running: Running) -> Retention:
    settings: Settings = running.settings
    return Retention(settings.retention_days, None, settings.archive_days, own=False)


def _shown(rule: Retention, default: Retention) -> RetentionBody:
    archive_days = default.archive_days if rule.archive_days is None else rule.archive_days
    return RetentionBody(
        deleted_days=rule.deleted_days,
        finished_days=rule.finished_days,
        archive_days=archive_days or 0,
        own=rule.own,
    )
