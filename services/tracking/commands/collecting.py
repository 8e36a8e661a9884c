"""The collector: removes for good what is past its time, in small transactions with their facts.

It first condemns: the registry is asked, in a fact, whether a version needs the run or logged model,
and from its answer on makes no version of what it has released. Only what it has released is removed,
so that nothing needed is lost however late its facts come. Whenever a process dies, what is left to
do stands in tables.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from libs.common.contracts import tracking as contract
from libs.common.events.outbox import Caused, UnitOfWork, unit_of_work
from libs.common.failpoints import reach
from libs.common.service import Running
from libs.common.telemetry.logs import logger
from libs.common.workspaces import DEFAULT_ID
from services.tracking.commands.contents import unlink_below
from services.tracking.commands.facts import experiment_state, model_state, run_state
from services.tracking.metrics import REMOVED, REMOVED_BYTES, REMOVED_POINTS
from services.tracking.model.logged_models import model_uuid
from services.tracking.model.retention import Collected, Scope
from services.tracking.model.runs import run_uuid
from services.tracking.store import condemned, removal, retention
from services.tracking.store.experiments import tags_of

_SCHEME: Final = "mlflow-artifacts:/"
_log = logger(__name__)


@dataclass(slots=True)
class _Pass:
    """A pass over a tenant: what it did, and what could not be removed and waits for the next."""

    scope: Scope
    done: Collected = field(default_factory=Collected)
    failed: list[UUID] = field(default_factory=list)
    at: UUID | None = None

    def begin(self) -> None:
        """Nothing is being removed yet."""
        self.at = None


Step = Callable[[UnitOfWork, _Pass], Awaitable[bool]]


async def collect(running: Running, scope: Scope) -> Collected:
    """One collection: condemn what is due, remove what was released."""
    before = await condemn(running, scope)
    return replace(await remove(running, scope), put_aside=before.put_aside)


async def condemn(running: Running, scope: Scope) -> Collected:
    """Put aside what a rule says, and ask the registry of all that is past its time."""
    now = _Pass(scope)
    for step in (_put_finished_aside, _condemn_runs, _condemn_models):
        await _until_none(running, now, step)
    return now.done


async def remove(running: Running, scope: Scope) -> Collected:
    """Remove what the registry has released, and then what is empty."""
    now = _Pass(scope)
    try:
        for step in (_remove_run, _remove_model, _remove_experiment, _remove_points):
            await _until_none(running, now, step)
    finally:
        _count(now.done)
    return now.done


def _count(done: Collected) -> None:
    REMOVED.labels("run").inc(done.runs)
    REMOVED.labels("logged-model").inc(done.logged_models)
    REMOVED.labels("experiment").inc(done.experiments)
    REMOVED_POINTS.inc(done.points)
    REMOVED_BYTES.inc(done.bytes)


async def _until_none(running: Running, now: _Pass, step: Step) -> None:
    clock = asyncio.get_running_loop().time
    ends = clock() + now.scope.seconds
    while await _once(running, now, step) and clock() < ends:
        pass


async def _once(running: Running, now: _Pass, step: Step) -> bool:
    """One transaction of a step; what cannot be removed is passed over. False when none is left."""
    acting = Caused(now.scope.tenant, now.scope.tenant_no, now.scope.subject)
    now.begin()
    try:
        async with unit_of_work(running, acting) as work:
            work.silent("nothing is left, or points of a run whose removal was told")
            more = await step(work, now)
            reach("collector.before-commit")
    except Exception:
        if now.at is None:
            raise
        _log.exception("not_removed", id=str(now.at))
        now.failed.append(now.at)
        # The next pass begins with others, however long this one took to fail.
        async with running.database.transaction(now.scope.tenant_no) as connection:
            await removal.put_off(connection, now.scope.tenant_no, now.at)
        return True
    reach("collector.after-commit")
    return more


async def _put_finished_aside(work: UnitOfWork, now: _Pass) -> bool:
    moved = await retention.put_finished_aside(work.connection, now.scope)
    for run in moved:
        work.record(contract.RunDeleted(version=run.version, run=run_state(run)))
    now.done.put_aside += len(moved)
    return bool(moved)


async def _condemn_runs(work: UnitOfWork, now: _Pass) -> bool:
    asked = await condemned.condemn_runs(work.connection, now.scope)
    for run in asked:
        work.record(contract.RunCondemned(version=run.version, run=run_state(run)))
    return bool(asked)


async def _condemn_models(work: UnitOfWork, now: _Pass) -> bool:
    asked = await condemned.condemn_models(work.connection, now.scope)
    for model in asked:
        makers = await condemned.makers(work.connection, now.scope.tenant_no, model)
        fact = contract.LoggedModelCondemned(
            version=model.version, model=model_state(model), runs=makers
        )
        work.record(fact)
    return bool(asked)


async def _remove_run(work: UnitOfWork, now: _Pass) -> bool:
    run = await removal.next_run(work.connection, now.scope, now.failed)
    if run is None:
        return False
    now.at = run_uuid(run.run_id)
    held = await _unlink(work, now.scope, run.workspace_id, run.artifact_uri)
    await removal.remove_run(work.connection, now.scope.tenant_no, run)
    work.record(contract.RunRemoved(version=run.version + 1, run=run_state(run)))
    now.done.runs += 1
    now.done.bytes += held
    return True


async def _remove_model(work: UnitOfWork, now: _Pass) -> bool:
    model = await removal.next_model(work.connection, now.scope, now.failed)
    if model is None:
        return False
    now.at = model_uuid(model.model_id)
    held = await _unlink(work, now.scope, model.workspace_id, model.artifact_uri)
    await removal.remove_model(work.connection, now.scope.tenant_no, model)
    fact = contract.LoggedModelRemoved(version=model.version + 1, model=model_state(model))
    work.record(fact)
    now.done.logged_models += 1
    now.done.bytes += held
    return True


async def _remove_experiment(work: UnitOfWork, now: _Pass) -> bool:
    found = await removal.next_experiment(work.connection, now.scope)
    if found is None:
        return False
    tags = await tags_of(work.connection, now.scope.tenant_no, found.experiment_id)
    await removal.remove_experiment(work.connection, now.scope.tenant_no, found)
    state = experiment_state(found, tags)
    work.record(contract.ExperimentRemoved(version=found.version + 1, experiment=state))
    now.done.experiments += 1
    return True


async def _remove_points(work: UnitOfWork, now: _Pass) -> bool:
    removed = await removal.remove_points(work.connection, now.scope.tenant_no)
    now.done.points += removed or 0
    return removed is not None


async def _unlink(work: UnitOfWork, scope: Scope, workspace_id: int, uri: str) -> int:
    path = uri.removeprefix(_SCHEME)
    held = await unlink_below(work.connection, scope.tenant_no, workspace_id, path)
    if workspace_id != DEFAULT_ID:
        # Where its workspace has just begun to leave, files may have moved before it.
        held += await unlink_below(work.connection, scope.tenant_no, DEFAULT_ID, path)
    return held
