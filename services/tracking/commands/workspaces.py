"""A deleted workspace is cleared: its experiments are put aside, or move to the default one.

Each batch is a transaction of its own with its facts. Files move first, then what lies in the
experiments, then they themselves, so that nothing is seen in the default workspace without what
belongs to it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from libs.common.contracts.tracking import ExperimentChanged, WorkspaceCleared
from libs.common.events.outbox import UnitOfWork, unit_of_work
from libs.common.leaving import Leaving
from libs.common.service import Running
from libs.common.workspaces import DEFAULT_ID
from services.tracking.commands.experiments import ensure_default, keep_stage
from services.tracking.commands.facts import experiment_state, model_changed, run_changed
from services.tracking.commands.logged_models import keep_versions_tag
from services.tracking.model.logged_models import model_uuid
from services.tracking.store import experiments, logged_models
from services.tracking.store import workspaces as store
from services.tracking.store.contents import move_page

FILES: Final = 5_000
Batch = Callable[[Running, UnitOfWork, Leaving], Awaitable[bool]]


async def sweep(running: Running, leaving: Leaving) -> None:
    """Clear a workspace of all that is in it now."""
    if leaving.puts_away:
        await _until_none(running, leaving, _put_aside)
        return
    # Or another one of that name would take its place.
    await ensure_default(running, leaving.acting())
    for batch in (_move_files, _move_runs, _move_models, _move_experiment):
        await _until_none(running, leaving, batch)


def cleared(leaving: Leaving) -> WorkspaceCleared:
    """What is told when nothing is left."""
    return WorkspaceCleared(version=leaving.version, workspace_id=leaving.workspace_id)


async def _until_none(running: Running, leaving: Leaving, batch: Batch) -> None:
    more = True
    while more:
        async with unit_of_work(running, leaving.acting()) as work:
            work.silent("nothing is left")
            more = await batch(running, work, leaving)


async def _put_aside(running: Running, work: UnitOfWork, leaving: Leaving) -> bool:
    found = await store.next_experiment(
        work.connection, leaving.tenant_no, leaving.workspace_id, also_deleted=False
    )
    if found is not None:
        await keep_stage(running, work, found.put_aside())
    return found is not None


async def _move_files(_: Running, work: UnitOfWork, leaving: Leaving) -> bool:
    moved = await move_page(
        work.connection, leaving.tenant_no, leaving.workspace_id, DEFAULT_ID, FILES
    )
    return moved > 0


async def _move_runs(_: Running, work: UnitOfWork, leaving: Leaving) -> bool:
    moved = await store.move_runs(work.connection, leaving.tenant_no, leaving.workspace_id)
    for run in moved:
        work.record(run_changed(run))
    return bool(moved)


async def _move_models(_: Running, work: UnitOfWork, leaving: Leaving) -> bool:
    tenant_no = leaving.tenant_no
    moved = await store.move_models(work.connection, tenant_no, leaving.workspace_id)
    for model in moved:
        stored = model_uuid(model.model_id)
        tags = await logged_models.tags(work.connection, tenant_no, stored)
        work.record(model_changed(model, tags))
        # The registry may have told of the moved versions before.
        await keep_versions_tag(work, model)
    return bool(moved)


async def _move_experiment(_: Running, work: UnitOfWork, leaving: Leaving) -> bool:
    tenant_no = leaving.tenant_no
    found = await store.next_experiment(
        work.connection, tenant_no, leaving.workspace_id, also_deleted=True
    )
    if found is None:
        return False
    taken = await store.is_taken(work.connection, tenant_no, found.name)
    name = leaving.name_beside(found.name) if taken else found.name
    moved = replace(found, workspace_id=DEFAULT_ID, name=name, version=found.version + 1)
    await store.save_moved(work.connection, tenant_no, moved)
    tags = await experiments.tags_of(work.connection, tenant_no, moved.experiment_id)
    work.record(ExperimentChanged(version=moved.version, experiment=experiment_state(moved, tags)))
    return True
