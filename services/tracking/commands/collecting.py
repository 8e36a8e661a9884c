"""The collector: removes for good what is past its time, in small transactions with their facts.

It first condemns: the registry is asked, in a fact, whether a version needs the run or logged model,
and from its answer on makes no version of what it has released. Only what it has released is removed,
so that nothing needed is lost however late its facts come. Whenever a process dies, what is left to
do stands in tables.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from libs.common.contracts import tracking as contract
from libs.common.events.outbox import Caused, UnitOfWork, unit_of_work
from libs.common.failpoints import reach
from libs.common.service import Running
from services.tracking.commands.contents import unlink_below
from services.tracking.commands.facts import experiment_state, model_state, run_state
from services.tracking.metrics import REMOVED, REMOVED_BYTES, REMOVED_POINTS
from services.tracking.model.retention import Collected, Scope
from services.tracking.store import condemned, removal, retention
from services.tracking.store.experiments import tags_of

_SCHEME: Final = "mlflow-artifacts:/"
Step = Callable[[UnitOfWork, Scope, Collected], Awaitable[bool]]


async def collect(running: Running, scope: Scope) -> Collected:
    """One collection: condemn what is due, remove what was released."""
    before = await condemn(running, scope)
    return replace(await remove(running, scope), put_aside=before.put_aside)


async def condemn(running: Running, scope: Scope) -> Collected:
    """Put aside what a rule says, and ask the registry of all that is past its time."""
    done = Collected()
    for step in (_put_finished_aside, _condemn_runs, _condemn_models):
        await _until_none(running, scope, step, done)
    return done


async def remove(running: Running, scope: Scope) -> Collected:
    """Remove what the registry has released, and then what is empty."""
    done = Collected()
    try:
        for step in (_remove_run, _remove_model, _remove_experiment, _remove_points):
            await _until_none(running, scope, step, done)
    finally:
        _count(done)
    return done


def _count(done: Collected) -> None:
    REMOVED.labels("run").inc(done.runs)
    REMOVED.labels("logged-model").inc(done.logged_models)
    REMOVED.labels("experiment").inc(done.experiments)
    REMOVED_POINTS.inc(done.points)
    REMOVED_BYTES.inc(done.bytes)


async def _until_none(running: Running, scope: Scope, step: Step, done: Collected) -> None:
    acting = Caused(scope.tenant, scope.tenant_no, scope.subject)
    more = True
    while more:
        async with unit_of_work(running, acting) as work:
            work.silent("nothing is left, or points of a run whose removal was told")
            more = await step(work, scope, done)
            reach("collector.before-commit")
        reach("collector.after-commit")


async def _put_finished_aside(work: UnitOfWork, scope: Scope, done: Collected) -> bool:
    moved = await retention.put_finished_aside(work.connection, scope)
    for run in moved:
        work.record(contract.RunDeleted(version=run.version, run=run_state(run)))
    done.put_aside += len(moved)
    return bool(moved)


async def _condemn_runs(work: UnitOfWork, scope: Scope, _: Collected) -> bool:
    asked = await condemned.condemn_runs(work.connection, scope)
    for run in asked:
        work.record(contract.RunCondemned(version=run.version, run=run_state(run)))
    return bool(asked)


async def _condemn_models(work: UnitOfWork, scope: Scope, _: Collected) -> bool:
    asked = await condemned.condemn_models(work.connection, scope)
    for model in asked:
        makers = await condemned.makers(work.connection, scope.tenant_no, model)
        fact = contract.LoggedModelCondemned(
            version=model.version, model=model_state(model), runs=makers
        )
        work.record(fact)
    return bool(asked)


async def _remove_run(work: UnitOfWork, scope: Scope, done: Collected) -> bool:
    run = await removal.next_run(work.connection, scope)
    if run is None:
        return False
    done.bytes += await _unlink(work, scope, run.workspace_id, run.artifact_uri)
    await removal.remove_run(work.connection, scope.tenant_no, run)
    work.record(contract.RunRemoved(version=run.version + 1, run=run_state(run)))
    done.runs += 1
    return True


async def _remove_model(work: UnitOfWork, scope: Scope, done: Collected) -> bool:
    model = await removal.next_model(work.connection, scope)
    if model is None:
        return False
    done.bytes += await _unlink(work, scope, model.workspace_id, model.artifact_uri)
    await removal.remove_model(work.connection, scope.tenant_no, model)
    fact = contract.LoggedModelRemoved(version=model.version + 1, model=model_state(model))
    work.record(fact)
    done.logged_models += 1
    return True


async def _remove_experiment(work: UnitOfWork, scope: Scope, done: Collected) -> bool:
    found = await removal.next_experiment(work.connection, scope)
    if found is None:
        return False
    tags = await tags_of(work.connection, scope.tenant_no, found.experiment_id)
    await removal.remove_experiment(work.connection, scope.tenant_no, found)
    state = experiment_state(found, tags)
    work.record(contract.ExperimentRemoved(version=found.version + 1, experiment=state))
    done.experiments += 1
    return True


async def _remove_points(work: UnitOfWork, scope: Scope, done: Collected) -> bool:
    removed = await removal.remove_points(work.connection, scope.tenant_no)
    done.points += removed or 0
    return removed is not None


async def _unlink(work: UnitOfWork, scope: Scope, workspace_id: int, uri: str) -> int:
    path = uri.removeprefix(_SCHEME)
    return await unlink_below(work.connection, scope.tenant_no, workspace_id, path)
