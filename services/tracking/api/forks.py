"""Forking a run, over our own REST."""

from typing import Final

from fastapi import APIRouter

from libs.common.http.own import Caller, Here, Permission, on_resource
from services.tracking.commands.forks import fork_run as fork
from services.tracking.queries.access import insist_on_run
from services.tracking.schemas.forks import ForkBody, ForkedBody

_READ: Final = "run.read"
router = APIRouter(prefix="/api/maestro/v1/runs", tags=["runs"])


@router.post("/{run_id}/fork", status_code=201, **on_resource("run.create"))
async def fork_run(
    run_id: str, body: ForkBody, caller: Caller, running: Here, permission: Permission
) -> ForkedBody:
    """Start a run that continues another after a step: its history up to there is the other's.

    It takes run.read as well: the new run shows what was logged into the other.
    """
    await insist_on_run(running, caller, _READ, run_id)
    await insist_on_run(running, caller, permission, run_id)
    made = await fork(running, caller, run_id, step=body.step, name=body.run_name, tags=body.tags)
    return ForkedBody(
        run_id=made.run.run_id,
        run_name=made.run.name,
        experiment_id=str(made.run.experiment_id),
        artifact_uri=made.run.artifact_uri,
        forked_from=made.source.run_id,
        forked_at_step=made.step,
    )
