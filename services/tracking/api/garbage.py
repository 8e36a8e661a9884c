"""What is past its time in the caller's workspace: shown, and removed for good, over our own REST."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Query

from libs.common.http.own import Caller, Here, guarded
from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.commands.collecting import condemn, remove
from services.tracking.model.retention import MOST_DAYS, Collected, Scope
from services.tracking.queries.retention import due
from services.tracking.schemas.retention import CollectBody, GarbageBody
from services.tracking.store.condemned import unanswered

_MANAGE: Final = "workspace.manage"
# The registry answers in moments; whoever asks need not wait for one that is away.
_WAIT_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.1
_AGAIN_SECONDS: Final = 30.0
router = APIRouter(prefix="/api/maestro/v1/garbage", tags=["retention"])


@router.get("", **guarded(_MANAGE))
async def show_garbage(
    caller: Caller,
    running: Here,
    older_than_days: Annotated[int | None, Query(ge=0, le=MOST_DAYS)] = None,
) -> GarbageBody:
    """What a collection would remove now; nothing is changed."""
    scope = _scope(running, caller, older_than_days)
    async with running.database.reading(caller.tenant_no) as connection:
        return _shown(await due(connection, scope), 0)


@router.post("/collect", **guarded(_MANAGE))
async def collect_garbage(body: CollectBody, caller: Caller, running: Here) -> GarbageBody:
    """Remove what is past its time now, rather than when the background collector comes by.

    Waits up to ten seconds for the registry to say what no version needs.
    """
    scope = _scope(running, caller, body.older_than_days)
    await condemn(running, scope)
    waiting = await _answers(running, scope)
    return _shown(await remove(running, scope), waiting)


async def _answers(running: Running, scope: Scope) -> int:
    """How many are still not answered for when there is no more time."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + _WAIT_SECONDS
    while True:
        async with running.database.reading(scope.tenant_no) as connection:
            waiting = await unanswered(connection, scope)
        if waiting == 0 or clock() > deadline:
            return waiting
        await asyncio.sleep(_PAUSE_SECONDS)


def _scope(running: Running, caller: Principal, days: int | None) -> Scope:
    return Scope(
        tenant=caller.tenant,
        tenant_no=caller.tenant_no,
        subject=caller.subject,
        workspace_id=caller.workspace_id,
        default_days=running.settings.retention_days,
        days=days,
        again_seconds=_AGAIN_SECONDS,
    )


def _shown(found: Collected, waiting: int) -> GarbageBody:
    return GarbageBody(
        runs=found.runs,
        logged_models=found.logged_models,
        experiments=found.experiments,
        points=found.points,
        artifact_bytes=found.bytes,
        waiting=waiting,
    )
