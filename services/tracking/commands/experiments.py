"""Experiments: make, rename, give away, tag, put aside, bring back.

Each decides by the row that it changes, locked: no rename or gift comes between.
"""

from collections.abc import Callable
from typing import Final

from libs.common.access.guard import insist, insist_gives, not_allowed
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
from services.tracking.commands.facts import experiment_state, model_changed, run_state
from services.tracking.known import Governing
from services.tracking.model import limits
from services.tracking.model.experiments import (
    CUSTOM_VIEW_PREFIX,
    NOBODY,
    Experiment,
    check_artifact_location,
    check_custom_views,
    check_owner,
    name_taken,
    no_experiment,
)
from services.tracking.state import state_of
from services.tracking.store import experiments as store
from services.tracking.store.logged_models import bring_back
from services.tracking.store.runs import move_runs

_CREATE: Final = "experiment.create"


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
    """A new experiment, its maker's own; its id."""
    limits.check_experiment_name(name)
    check_artifact_location(artifact_location)
    kept = dict(limits.experiment_tag(key, value) for key, value in tags)
    check_custom_views(sum(key.startswith(CUSTOM_VIEW_PREFIX) for key in kept))
    if not _held(principal, _CREATE, name):
        raise not_allowed(_CREATE, f"experiment {name!r}", NOBODY)
    await ensure_default(running, principal)
    tenant_no = principal.tenant_no
    async with unit_of_work(running, principal) as work:
        made = await store.add_experiment(
            work.connection,
            *(tenant_no, principal.workspace_id),
            await store.next_experiment_id(work.connection, tenant_no),
            *(name, principal.subject, principal.subject),
        )
        if made is None:
            raise name_taken(name)
        if kept:
            await store.set_tags(work.connection, tenant_no, made.experiment_id, kept)
        work.record(ExperimentCreated(version=1, experiment=experiment_state(made, kept)))
    return made.experiment_id


async def rename_experiment(
    running: Running, principal: Principal, permission: str, experiment_id: int, name: str
) -> None:
    """Give an experiment another name; `permission` must be held under the old and the new one."""
    limits.check_experiment_name(name)
    await ensure_default(running, principal)
    async with unit_of_work(running, principal) as work:
        experiment = await _to_change(work, principal, permission, experiment_id)
        _insist_on_new_name(principal, permission, experiment, name)
        renamed = experiment.renamed(name)
        await store.save_experiment(work.connection, principal.tenant_no, renamed)
        await _changed(work, principal, renamed)
    _learn(running, principal, renamed)


async def give_experiment(
    running: Running, principal: Principal, permission: str, experiment_id: int, owner: str
) -> None:
    """Make an experiment another's, or with '' nobody's."""
    check_owner(owner)
    await ensure_default(running, principal)
    async with unit_of_work(running, principal) as work:
        experiment = await _to_change(work, principal, permission, experiment_id)
        insist_gives(principal, "experiment", experiment.name, experiment.owner)
        if experiment.owner == owner:
            work.silent("it belongs to that owner already")
            return
        given = experiment.given_to(owner)
        await store.save_owner(work.connection, principal.tenant_no, given)
        await _changed(work, principal, given)
    _learn(running, principal, given)


async def delete_experiment(
    running: Running, principal: Principal, permission: str, experiment_id: int
) -> None:
    """Put an experiment and all its runs aside."""
    await _move(running, principal, permission, experiment_id, Experiment.put_aside)


async def restore_experiment(
    running: Running, principal: Principal, permission: str, experiment_id: int
) -> None:
    """Bring an experiment and all its runs back, also runs that were deleted before it."""
    await _move(running, principal, permission, experiment_id, Experiment.brought_back)


async def set_tag(
    running: Running,
    principal: Principal,
    permission: str,
    experiment_id: int,
    key: str,
    value: str,
) -> None:
    """Tag an experiment."""
    limits.experiment_tag(key, value)
    await ensure_default(running, principal)
    async with unit_of_work(running, principal) as work:
        tagged = (await _to_change(work, principal, permission, experiment_id)).retagged()
        if key.startswith(CUSTOM_VIEW_PREFIX):
            tags = await store.tags_of(work.connection, principal.tenant_no, experiment_id)
            views = {known for known in tags if known.startswith(CUSTOM_VIEW_PREFIX)} | {key}
            check_custom_views(len(views) if key not in tags else 0, experiment_id)
        await store.set_tags(work.connection, principal.tenant_no, experiment_id, {key: value})
        await store.save_version(work.connection, principal.tenant_no, tagged)
        await _changed(work, principal, tagged)


async def delete_tag(
    running: Running, principal: Principal, permission: str, experiment_id: int, key: str
) -> None:
    """Take a tag off an experiment."""
    await ensure_default(running, principal)
    async with unit_of_work(running, principal) as work:
        tagged = (await _to_change(work, principal, permission, experiment_id)).retagged()
        if not await store.delete_tag(work.connection, principal.tenant_no, experiment_id, key):
            raise missing(f"No tag with name: {key} in experiment with id {experiment_id}")
        await store.save_version(work.connection, principal.tenant_no, tagged)
        await _changed(work, principal, tagged)


async def _move(
    running: Running,
    principal: Principal,
    permission: str,
    experiment_id: int,
    moved: Callable[[Experiment], Experiment],
) -> None:
    await ensure_default(running, principal)
    async with unit_of_work(running, principal) as work:
        await keep_stage(
            running, work, moved(await _to_change(work, principal, permission, experiment_id))
        )


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
    if stage == "active":
        # The collector may have condemned its models: that does not count for another version.
        async for models in bring_back(work.connection, tenant_no, experiment.experiment_id):
            for model, model_tags in models:
                work.record(model_changed(model, model_tags))
            await work.flush_page(running)


async def _to_change(
    work: UnitOfWork, principal: Principal, permission: str, experiment_id: int
) -> Experiment:
    """The caller's experiment, locked; a refusal where there is none or it may not be changed."""
    found = await store.experiment_to_change(
        work.connection, principal.tenant_no, principal.workspace_id, experiment_id
    )
    missing = no_experiment(experiment_id)
    if found is None:
        raise missing
    insist(principal, permission, found.name, found.owner, missing=missing)
    return found


def _insist_on_new_name(
    principal: Principal, permission: str, experiment: Experiment, name: str
) -> None:
    """Refuse a name that the caller could not give to a new experiment either.

    Owners may do everything with what they own, but not bring it among the experiments of others.
    """
    owns = experiment.owner == principal.subject
    if not (_held(principal, permission, name) or (owns and _held(principal, _CREATE, name))):
        raise not_allowed(permission, f"experiment {name!r}", NOBODY)


def _held(principal: Principal, permission: str, name: str) -> bool:
    """Whether a rule allows it on experiments of that name, whoever owns them."""
    return principal.rights.allows(permission, principal.workspace_id, name)


def _learn(running: Running, principal: Principal, experiment: Experiment) -> None:
    """What others hear in a moment counts here at once."""
    told = Governing(
        experiment.experiment_id, experiment.version, experiment.name, experiment.owner
    )
    state_of(running).known.learn(principal.tenant_no, experiment.workspace_id, told)


async def _changed(work: UnitOfWork, principal: Principal, experiment: Experiment) -> None:
    tags = await store.tags_of(work.connection, principal.tenant_no, experiment.experiment_id)
    work.record(
        ExperimentChanged(version=experiment.version, experiment=experiment_state(experiment, tags))
    )
