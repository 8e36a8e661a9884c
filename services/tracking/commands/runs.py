"""Runs: start, change, put aside, bring back."""

from collections.abc import Callable, Mapping

from libs.common.contracts.tracking import RunCreated, RunDeleted, RunRestored
from libs.common.errors import missing
from libs.common.events.outbox import UnitOfWork, unit_of_work
from libs.common.principal import Principal
from libs.common.service import Running
from libs.common.telemetry.tracing import current_traceparent
from services.tracking.commands.experiments import ensure_default
from services.tracking.commands.facts import brief, details_logged, run_changed, run_state
from services.tracking.commands.flushing import Created
from services.tracking.commands.quotas import insist_on_run_quota
from services.tracking.model import limits
from services.tracking.model.experiments import (
    DEFAULT_ID,
    artifact_location,
    no_experiment,
    not_active,
)
from services.tracking.model.runs import (
    RUN_NAME_TAG,
    Run,
    check_active,
    check_user_id,
    new_run_uuid,
    no_run,
    run_name,
    run_uuid,
)
from services.tracking.state import state_of
from services.tracking.store import runs as store


async def create_run(
    running: Running,
    principal: Principal,
    experiment_id: int,
    *,
    name: str,
    user_id: str,
    start_time: int,
    tags: Mapping[str, str],
) -> tuple[Run, dict[str, str]]:
    """A new run with its tags, in one transaction with those that others make just now."""
    await insist_on_run_quota(running, principal)
    check_user_id(user_id)
    for key in tags:
        limits.check_length("key", limits.KEY_LENGTH, key)
    name = run_name(name, tags.get(RUN_NAME_TAG, ""))[: limits.TAG_VALUE_LENGTH]
    kept = {key: value[: limits.TAG_VALUE_LENGTH] for key, value in tags.items()}
    kept[RUN_NAME_TAG] = kept.get(RUN_NAME_TAG) or name
    if experiment_id == DEFAULT_ID:
        await ensure_default(running, principal)
    run = new_run(principal, experiment_id, name, user_id, start_time)
    refused = await state_of(running).created.commit(
        Created(
            principal=principal,
            experiment_id=experiment_id,
            run=run_uuid(run.run_id),
            name=run.name,
            user_id=user_id,
            start_time=start_time,
            artifact_uri=run.artifact_uri,
            tags=kept,
            fact=RunCreated(version=run.version, run=run_state(run), tags=brief(kept)),
            trace=current_traceparent(),
        )
    )
    if refused is not None:
        raise (
            no_experiment(experiment_id)
            if refused.why == "no-experiment"
            else not_active(experiment_id, refused.stage)
        )
    return run, kept


async def update_run(
    running: Running,
    principal: Principal,
    run_id: str,
    *,
    name: str | None,
    status: str | None,
    end_time: int | None,
) -> Run:
    """Change a run's name, status or end; what is None, and an empty name, stays."""
    async with unit_of_work(running, principal) as work:
        run = await run_to_change(work, principal, run_id)
        check_active(run)
        if not name and status is None and end_time is None:
            work.silent("nothing was asked to change")
            return run
        changed = run.changed(
            name=name and name[: limits.TAG_VALUE_LENGTH], status=status, end_time=end_time
        )
        await store.save_run(work.connection, principal.tenant_no, changed)
        if name:
            await store.set_name_tag(work.connection, principal.tenant_no, changed)
        work.record(run_changed(changed))
    return changed


async def delete_run(running: Running, principal: Principal, run_id: str) -> None:
    """Put a run aside; doing it twice is no error."""
    async with unit_of_work(running, principal) as work:
        run = await _moved(work, principal, run_id, Run.put_aside)
        if run is not None:
            work.record(RunDeleted(version=run.version, run=run_state(run)))


async def restore_run(running: Running, principal: Principal, run_id: str) -> None:
    """Bring a run back; doing it twice is no error."""
    async with unit_of_work(running, principal) as work:
        run = await _moved(work, principal, run_id, Run.brought_back)
        if run is not None:
            work.record(RunRestored(version=run.version, run=run_state(run)))


async def delete_tag(running: Running, principal: Principal, run_id: str, key: str) -> None:
    """Take a tag off a run."""
    async with unit_of_work(running, principal) as work:
        run = await run_to_change(work, principal, run_id)
        check_active(run)
        if not await store.delete_tag(work.connection, principal.tenant_no, run, key):
            raise missing(f"No tag with name: {key} in run with id {run_id}")
        work.record(details_logged(run_id, deleted_tags=[key]))


async def run_to_change(work: UnitOfWork, principal: Principal, run_id: str) -> Run:
    """The caller's run, locked; a refusal 404 where there is none."""
    found = await store.run_to_change(
        work.connection, principal.tenant_no, principal.workspace_id, run_uuid(run_id)
    )
    if found is None:
        raise no_run(run_id)
    return found


async def _moved(
    work: UnitOfWork, principal: Principal, run_id: str, moved: Callable[[Run], Run]
) -> Run | None:
    """The run in its other stage, None when it was there already."""
    run = await run_to_change(work, principal, run_id)
    other = moved(run)
    if other.lifecycle_stage == run.lifecycle_stage:
        work.silent("the run is in that stage already")
        return None
    await store.save_run(work.connection, principal.tenant_no, other)
    return other


def new_run(
    principal: Principal, experiment_id: int, name: str, user_id: str, start_time: int
) -> Run:
    """A run that has just started, not yet stored."""
    run_id = new_run_uuid().hex
    return Run(
        run_no=0,
        run_id=run_id,
        workspace_id=principal.workspace_id,
        experiment_id=experiment_id,
        version=1,
        name=name,
        user_id=user_id,
        status="RUNNING",
        lifecycle_stage="active",
        artifact_uri=f"{artifact_location(experiment_id)}/{run_id}/artifacts",
        start_time=start_time,
        end_time=None,
    )
