"""Logging into a run: points, params and tags, many requests in one transaction."""

from collections.abc import Sequence

from libs.common.errors import Refusal
from libs.common.events.outbox import outbox_columns, unit_of_work
from libs.common.principal import Principal
from libs.common.service import Running
from libs.common.telemetry.tracing import current_traceparent
from services.tracking.commands.facts import details_logged, metrics_logged, run_changed
from services.tracking.commands.flushing import Logged
from services.tracking.commands.runs import run_to_change
from services.tracking.model import limits
from services.tracking.model.metrics import Point, no_model
from services.tracking.model.runs import (
    RUN_NAME_TAG,
    check_active,
    no_run,
    not_active,
    param_changed,
    params_changed,
    run_uuid,
)
from services.tracking.state import state_of
from services.tracking.store import logging as store
from services.tracking.store.runs import save_run
from services.tracking.store.sections import Conflict

Pairs = Sequence[tuple[str, str]]


async def log_metric(running: Running, principal: Principal, run_id: str, point: Point) -> None:
    """Store one point."""
    await _commit(running, principal, run_id, [point], {}, {})


async def log_param(
    running: Running, principal: Principal, run_id: str, key: str, value: str
) -> None:
    """Store a param; the same value again is no error, another one is."""
    params = dict([limits.param(key, value)])
    refused = await _committed(running, principal, run_id, [], params, {})
    if refused is not None and refused.why == "params-changed":
        raise param_changed(run_id, *refused.params[0])
    if refused is not None:
        raise _refusal(run_id, refused)


async def set_tag(
    running: Running, principal: Principal, run_id: str, key: str, value: str
) -> None:
    """Set a tag; the one that tells the run's name renames the run."""
    await _log(running, principal, run_id, [], {}, dict([limits.tag(key, value)]))


async def log_batch(
    running: Running,
    principal: Principal,
    run_id: str,
    points: Sequence[Point],
    params: Pairs,
    tags: Pairs,
) -> None:
    """Store points, params and tags, all of them or none."""
    kept_params = [
        limits.param(key, value, f"params[{i}].key") for i, (key, value) in enumerate(params)
    ]
    kept_tags = [limits.tag(key, value, f"tags[{i}].key") for i, (key, value) in enumerate(tags)]
    limits.check_batch(len(points), len(params), len(tags))
    limits.check_param_keys([key for key, _ in kept_params])
    await _log(running, principal, run_id, points, dict(kept_params), dict(kept_tags))


async def _log(
    running: Running,
    principal: Principal,
    run_id: str,
    points: Sequence[Point],
    params: dict[str, str],
    tags: dict[str, str],
) -> None:
    if not tags.get(RUN_NAME_TAG, "name"):
        # A run keeps its name when it is given an empty one.
        tags.pop(RUN_NAME_TAG)
    if RUN_NAME_TAG in tags:
        await _log_and_rename(running, principal, run_id, points, params, tags)
    else:
        await _commit(running, principal, run_id, points, params, tags)


async def _commit(
    running: Running,
    principal: Principal,
    run_id: str,
    points: Sequence[Point],
    params: dict[str, str],
    tags: dict[str, str],
) -> None:
    refused = await _committed(running, principal, run_id, points, params, tags)
    if refused is not None:
        raise _refusal(run_id, refused)


async def _committed(
    running: Running,
    principal: Principal,
    run_id: str,
    points: Sequence[Point],
    params: dict[str, str],
    tags: dict[str, str],
) -> Conflict | None:
    """Commit together with what others log just now; why it was refused, None when it is stored."""
    write = Logged(principal, run_id, run_uuid(run_id), points, params, tags, current_traceparent())
    return await state_of(running).logged.commit(write)


async def _log_and_rename(
    running: Running,
    principal: Principal,
    run_id: str,
    points: Sequence[Point],
    params: dict[str, str],
    tags: dict[str, str],
) -> None:
    """The rare batch that names the run: its fact needs the run's state, read in between."""
    async with unit_of_work(running, principal) as work:
        run = await run_to_change(work, principal, run_id)
        check_active(run)
        refused = await store.log_batch(
            work.connection,
            *(principal.workspace_id, run_uuid(run_id), points, params, tags),
            outbox_columns(running, [], principal),
        )
        if refused is not None:
            raise _refusal(run_id, refused)
        renamed = run.changed(name=tags[RUN_NAME_TAG])
        await save_run(work.connection, principal.tenant_no, renamed)
        work.record(run_changed(renamed))
        if points:
            work.record(metrics_logged(run_id, points))
        work.record(details_logged(run_id, params=params, tags=tags))


def _refusal(run_id: str, refused: Conflict | store.Outcome) -> Refusal:
    if refused.why == "no-run":
        return no_run(run_id)
    if refused.why == "run-not-active":
        return not_active(run_id, refused.stage)
    if refused.why == "no-model":
        return no_model(refused.model)
    return params_changed(run_id, refused.params)
