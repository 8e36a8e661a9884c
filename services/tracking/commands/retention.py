"""An experiment's own rule of retention: given, and taken back."""

from libs.common.access.guard import insist
from libs.common.events.outbox import UnitOfWork, unit_of_work
from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.commands.experiments import ensure_default
from services.tracking.model.experiments import no_experiment
from services.tracking.model.retention import Retention
from services.tracking.store import retention as store
from services.tracking.store.experiments import experiment_to_change


async def set_rule(
    running: Running, principal: Principal, permission: str, experiment_id: int, rule: Retention
) -> None:
    """Give an experiment a rule; what was to be removed by the former is weighed anew."""
    await ensure_default(running, principal)
    async with unit_of_work(running, principal) as work:
        await _locked(work, principal, permission, experiment_id)
        await store.keep(work.connection, principal.tenant_no, experiment_id, rule)
        work.silent("a rule of tracking alone: what it does is told when it is done")


async def clear_rule(
    running: Running, principal: Principal, permission: str, experiment_id: int
) -> None:
    """Let an experiment go by the platform's rule."""
    await ensure_default(running, principal)
    async with unit_of_work(running, principal) as work:
        await _locked(work, principal, permission, experiment_id)
        await store.clear(work.connection, principal.tenant_no, experiment_id)
        work.silent("a rule of tracking alone: what it does is told when it is done")


async def _locked(
    work: UnitOfWork, principal: Principal, permission: str, experiment_id: int
) -> None:
    missing = no_experiment(experiment_id)
    found = await experiment_to_change(
        work.connection, principal.tenant_no, principal.workspace_id, experiment_id
    )
    if found is None:
        raise missing
    insist(principal, permission, found.name, found.owner, missing=missing)
