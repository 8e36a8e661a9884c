"""Experiments: make, rename, tag, put aside, bring back."""

from collections.abc import Callable

from libs.common.contracts.tracking import (
    ExperimentChanged,
    ExperimentCreated,
    ExperimentDeleted,
    ExperimentRestored,
    RunDeleted,
    RunRestored,
)
from libs.common.errors import missing
from libs.common.events.outbox import UnitOfWork, unit_of_work
from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.commands.facts import experiment_state, run_state
from services.tracking.model import limits
from services.tracking.model.experiments import (
    CUSTOM_VIEW_PREFIX,
    Experiment,
    check_artifact_location,
    check_custom_views,
    name_taken,
    no_experiment,
)
from services.tracking.state import state_of
from services.tracking.store import experiments as store
from services.tracking.store.runs import move_runs


async def ensure_default(running: Running, principal: Principal) -> None:
    """Make the tenant's `Default` experiment if this is the first that is heard of the tenant."""
    known = state_of(running).with_default
    if principal.tenant_no in known:
        return
    async with unit_of_work(running, principal) as work:
        work.silent("the experiment is there already")
        if not await store.has_default(work.connection, principal.tenant_no):
            made = await store.add_default(work.connection, principal.tenant_no, principal.subject)
            if made is not None:
                work.record(ExperimentCreated(version=1, experiment=experiment_state(made, {})))
    known.add(principal.tenant_no)


async def create_experiment(
    running: Running,
    principal: Principal,
    name: str,
    tags: list[tuple[str, str]],
    artifact_location: str,
) -> int:
    """A new experiment; its id."""
    limits.check_experiment_name(name)
    check_artifact_location(artifact_location)
    kept = dict(limits.experiment_tag(key, value) for key, value in tags)
    check_custom_views(sum(key.startswith(CUSTOM_VIEW_PREFIX) for key in kept))
    await ensure_default(running, principal)
    tenant_no = principal.tenant_no
    async with unit_of_work(running, principal) as work:
        made = await store.add_experiment(
            work.connection,
            *(tenant_no, principal.workspace_id),
            await store.next_experiment_id(work.connection, tenant_no),
            *(name, principal.subject),
        )
        if made is None:
            raise name_taken(name)
        if kept:
            await store.set_tags(work.connection, tenant_no, made.experiment_id, kept)
        work.record(ExperimentCreated(version=1, experiment=experiment_state(made, kept)))
    return made.experiment_id


async def rename_experiment(
    running: Running, principal: Principal, experiment_id: int, name: str
) -> None:
    """Give an experiment another name."""
    limits.check_experiment_name(name)
    await ensure_default(running, principal)
    async with unit_of_work(running, principal) as work:
        renamed = (await _to_change(work, principal, experiment_id)).renamed(name)
        await store.save_experiment(work.connection, principal.tenant_no, renamed)
        await _changed(work, principal, renamed)


async def delete_experiment(running: Running, principal: Principal, experiment_id: int) -> None:
    """Put an experiment and all its runs aside."""
    await _move(running, principal, experiment_id, Experiment.put_aside)


async def restore_experiment(running: Running, principal: Principal, experiment_id: int) -> None:
    """Bring an experiment and all its runs back, also runs that were deleted before it."""
    await _move(running, principal, experiment_id, Experiment.brought_back)


async def set_tag(
    running: Running, principal: Principal, experiment_id: int, key: str, value: str
) -> None:
    """Tag an experiment."""
    limits.experiment_tag(key, value)
    await ensure_default(running, principal)
    async with unit_of_work(running, principal) as work:
        tagged = (await _to_change(work, principal, experiment_id)).retagged()
        if key.startswith(CUSTOM_VIEW_PREFIX):
            tags = await store.tags_of(work.connection, principal.tenant_no, experiment_id)
            views = {known for known in tags if known.startswith(CUSTOM_VIEW_PREFIX)} | {key}
            check_custom_views(len(views) if key not in tags else 0, experiment_id)
        await store.set_tags(work.connection, principal.tenant_no, experiment_id, {key: value})
        await store.save_version(work.connection, principal.tenant_no, tagged)
        await _changed(work, principal, tagged)


async def delete_tag(running: Running, principal: Principal, experiment_id: int, key: str) -> None:
    """Take a tag off an experiment."""
    await ensure_default(running, principal)
    async with unit_of_work(running, principal) as work:
        tagged = (await _to_change(work, principal, experiment_id)).retagged()
        if not await store.delete_tag(work.connection, principal.tenant_no, experiment_id, key):
            raise missing(f"No tag with name: {key} in experiment with id {experiment_id}")
        await store.save_version(work.connection, principal.tenant_no, tagged)
        await _changed(work, principal, tagged)


async def _move(
    running: Running,
    principal: Principal,
    experiment_id: int,
    moved: Callable[[Experiment], Experiment],
) -> None:
    await ensure_default(running, principal)
    async with unit_of_work(running, principal) as work:
        await keep_stage(running, work, moved(await _to_change(work, principal, experiment_id)))


async def keep_stage(running: Running, work: UnitOfWork, experiment: Experiment) -> None:
    """Save the lifecycle stage that an experiment was brought into, and bring its runs there."""
    tenant_no, stage = work.acting.tenant_no, experiment.lifecycle_stage
    await store.save_experiment(work.connection, tenant_no, experiment)
    tags = await store.tags_of(work.connection, tenant_no, experiment.experiment_id)
    fact = ExperimentDeleted if stage == "deleted" else ExperimentRestored
    work.record(fact(version=experiment.version, experiment=experiment_state(experiment, tags)))
    run_fact = RunDeleted if stage == "deleted" else RunRestored
    # However many runs there are, only one page of them is in memory.
    async for runs in move_runs(work.connection, tenant_no, experiment.experiment_id, stage):
        for run in runs:
            work.record(run_fact(version=run.version, run=run_state(run)))
        await work.flush_page(running)


async def _to_change(work: UnitOfWork, principal: Principal, experiment_id: int) -> Experiment:
    found = await store.experiment_to_change(
        work.connection, principal.tenant_no, principal.workspace_id, experiment_id
    )
    if found is None:
        raise no_experiment(experiment_id)
    return found


async def _changed(work: UnitOfWork, principal: Principal, experiment: Experiment) -> None:
    tags = await store.tags_of(work.connection, principal.tenant_no, experiment.experiment_id)
    work.record(
        ExperimentChanged(version=experiment.version, experiment=experiment_state(experiment, tags))
    )
