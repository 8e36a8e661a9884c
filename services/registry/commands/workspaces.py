"""A deleted workspace is cleared: its models are deleted, or move to the default workspace.

Each model is a transaction of its own with its facts.
"""

from libs.common.contracts.registry import RegisteredModelRenamed, WorkspaceCleared
from libs.common.events.outbox import UnitOfWork, unit_of_work
from libs.common.leaving import Leaving
from libs.common.service import Running
from libs.common.workspaces import DEFAULT_ID
from services.registry.commands import facts
from services.registry.commands.models import remove_with_versions
from services.registry.model.entries import Model
from services.registry.store import models, versions
from services.registry.store import workspaces as store


async def sweep(running: Running, leaving: Leaving) -> None:
    """Clear a workspace of all that is in it now."""
    there = leaving.acting(leaving.workspace_id)
    more = True
    while more:
        async with unit_of_work(running, there) as work:
            work.silent("nothing is left")
            name = await store.next_name(work.connection, leaving.tenant_no, leaving.workspace_id)
            more = name is not None
            model = None if name is None else await models.lock(work.connection, there, name)
            if model is None:
                continue
            await models.furnish(work.connection, there, model)
            if leaving.puts_away:
                await remove_with_versions(work, there, model)
            else:
                await _move(work, leaving, model)


def cleared(leaving: Leaving) -> WorkspaceCleared:
    """What is told when nothing is left."""
    return WorkspaceCleared(version=leaving.version, workspace_id=leaving.workspace_id)


async def _move(work: UnitOfWork, leaving: Leaving, model: Model) -> None:
    """Move a model with its versions, each told as gone where it was, as after a new name."""
    connection, name = work.connection, model.name
    there, here = leaving.acting(leaving.workspace_id), leaving.acting()
    before = await versions.load_all(connection, there, model)
    last = max([model.version, model.floor, *(version.version + 1 for version in before)])
    taken = await store.is_taken(connection, leaving.tenant_no, name)
    new_name = leaving.name_beside(name) if taken else name
    await store.move(connection, leaving.tenant_no, model.model_no, new_name)
    model.workspace_id = DEFAULT_ID
    # Its count passes whatever was told under the new name before.
    await models.rename(connection, here, model, new_name)
    await models.retire(connection, there, name, last)
    for version in before:
        work.record(facts.version_deleted(version))
    work.record(
        RegisteredModelRenamed(
            version=model.version,
            model=facts.model_state(model),
            former_name=name,
            former_workspace_id=leaving.workspace_id,
        )
    )
    for version in await versions.renamed(connection, here, model):
        work.record(facts.version_changed(version))
