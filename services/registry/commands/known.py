"""Runs and logged models that a command names: from the read model, else from their owner.

The stock client registers a model milliseconds after logging it. So where the read model has not
seen an id, the command waits for its fact for a moment, then asks tracking once; the second works
with the consumer paused and with Kafka away, too.

The read model does not know experiments by name and owner, by which access is granted. So of a
caller who may not read every run, or every logged model, tracking is always asked.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from libs.common.principal import Principal
from libs.common.service import Running
from services.registry.arrivals import ARRIVALS
from services.registry.commands import owner
from services.registry.model.entries import KnownModel, KnownRun
from services.registry.model.sources import is_model_id, is_run_id
from services.registry.queries import known

WAIT_SECONDS: Final = 0.2
_POLL_SECONDS: Final = 0.025
# A fact that was heard is committed in a moment.
_COMMIT_SECONDS: Final = 0.003

K = TypeVar("K", KnownRun, KnownModel)


async def readable_run(running: Running, principal: Principal, run_id: str) -> KnownRun | None:
    """A run that the caller may read, None where there is none."""
    if not is_run_id(run_id):
        return None
    if _reads_all(principal, "run.read"):
        return await run(running, principal, run_id)
    return await owner.run(running, principal, run_id)


async def run(running: Running, principal: Principal, run_id: str) -> KnownRun | None:
    """A run of the caller's workspace, None where there is none.

    Whether the caller may read it is not decided here.
    """
    if not is_run_id(run_id):
        return None

    async def find() -> KnownRun | known.Hidden | None:
        return await known.run(running.database, principal, run_id)

    found = await _awaited(find, principal.tenant_no, run_id)
    if found is None:
        return await owner.run(running, principal, run_id)
    return None if isinstance(found, known.Hidden) else found


async def readable_model(
    running: Running, principal: Principal, model_id: str
) -> KnownModel | None:
    """A logged model that the caller may read, None where there is none."""
    if not is_model_id(model_id):
        return None
    if not _reads_all(principal, "logged-model.read"):
        return await owner.logged_model(running, principal, model_id)

    async def find() -> KnownModel | known.Hidden | None:
        return await known.logged_model(running.database, principal, model_id)

    found = await _awaited(find, principal.tenant_no, model_id)
    if found is None:
        return await owner.logged_model(running, principal, model_id)
    return None if isinstance(found, known.Hidden) else found


def _reads_all(principal: Principal, permission: str) -> bool:
    return principal.rights.selection(permission, principal.workspace_id).everything


async def _awaited(
    find: Callable[[], Awaitable[K | known.Hidden | None]], tenant_no: int, name: str
) -> K | known.Hidden | None:
    """What `find` gives as soon as it gives something, None when WAIT_SECONDS have passed."""
    clock = asyncio.get_running_loop().time
    deadline, pause = clock() + WAIT_SECONDS, _POLL_SECONDS
    with ARRIVALS.awaiting(tenant_no, name) as arrived:
        while True:
            found = await find()
            left = deadline - clock()
            if found is not None or left <= 0:
                return found
            try:
                await asyncio.wait_for(arrived.wait(), min(pause, left))
                arrived.clear()
                pause = _COMMIT_SECONDS
            except TimeoutError:
                continue
