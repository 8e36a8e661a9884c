"""What a route's caller must be allowed, asked of the experiment, run or logged model at hand.

The permission is the one that the route declares.
"""

from collections.abc import Awaitable, Iterable
from typing import Final

from libs.common.errors import STATUS, Refusal
from libs.common.http.routes import Call
from services.tracking.artifacts.paths import experiment_of
from services.tracking.commands.experiments import ensure_default
from services.tracking.model.experiments import DEFAULT_ID, no_experiment
from services.tracking.queries import access

_MODEL_READ: Final = "logged-model.read"
_MISSING: Final = STATUS["RESOURCE_DOES_NOT_EXIST"]


async def insist_on_experiment(call: Call, experiment_id: int) -> None:
    """Refuse unless the caller may do this with an experiment, or with what shall lie in it."""
    if experiment_id == DEFAULT_ID:
        await ensure_default(call.running, call.principal)
    await access.insist_on_experiment(
        call.running,
        call.principal,
        call.permission,
        experiment_id,
        missing=no_experiment(experiment_id),
    )


async def insist_on_run(call: Call, run_id: str) -> None:
    """Refuse unless the caller may do this with a run."""
    await access.insist_on_run(call.running, call.principal, call.permission, run_id)


async def insist_on_model(call: Call, model_id: str) -> None:
    """Refuse unless the caller may do this with a logged model."""
    await access.insist_on_model(call.running, call.principal, call.permission, model_id)


async def insist_on_models_of_points(call: Call, model_ids: Iterable[str]) -> None:
    """Refuse unless the caller may see each logged model that points are about; '' is none."""
    for model_id in sorted(set(model_ids) - {""}):
        await access.insist_on_model(call.running, call.principal, _MODEL_READ, model_id)


async def insist_on_path(call: Call, path: str, *, missing: Refusal) -> None:
    """Refuse unless the caller may do this with the artifacts of the experiment a path names."""
    if access.selected(call.principal, call.permission).everything:
        return
    experiment_id = experiment_of(path)
    if experiment_id is None:
        raise missing
    await access.insist_on_experiment(
        call.running, call.principal, call.permission, experiment_id, missing=missing
    )


async def shows(decision: Awaitable[None]) -> bool:
    """False where a decision is *missing*, for routes that then answer with an empty list."""
    try:
        await decision
    except Refusal as refusal:
        if refusal.status != _MISSING:
            raise
        return False
    return True
