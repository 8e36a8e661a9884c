"""Logging into a run: points, params and tags, many requests in one transaction."""

from collections.abc import Sequence

from libs.common.errors import Refusal
from libs.common.events.outbox import outbox_columns, unit_of_work
from libs.common.principal import Principal
from libs.common.service import Running
from libs.common.telemetry.tracing import current_traceparent
from services.tracking.commands.facts import details_logged, run_changed
from services.tracking.commands.flushing import Logged
from services.tracking.commands.runs import run_to_change
from services.tracking.commands.telemetry import metrics_logged, parts_of
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
    await _log(running, _write(principal, run_id, [point], {}, {}))


async def log_param(
    running: Running, principal: Principal, run_id: str, key: str, value: str
) -> None:
    """Store a param; the same value again is no error, another one is."""
    params = dict([limits.param(key, value)])
    refused = await _committed(running, _write(principal, run_id, [], params, {}))
    if refused is not None and refused.why == "params-changed":
        raise param_changed(run_id, *refused.params[0])
    if refused is not None:
        raise _refusal(run_id, refused)


async def set_tag(
    running: Running, principal: Principal, run_id: str, key: str, value: str
) -> None:
    """Set a tag; the one that tells the run's name renames the run."""
    tags = dict([limits.tag(key, value)])
    await _log(running, _write(principal, run_id, [], {}, tags))


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
    write = _write(principal, run_id, points, dict(kept_params), dict(kept_tags))
    await _log(running, write)


def _write(
    principal: Principal,
    run_id: str,
    points: Sequence[Point],
    params: dict[str, str],
    tags: dict[str, str],
) -> Logged:
    if not tags.get(RUN_NAME_TAG, "name"):
        # A run keeps its name when it is given an empty one.
        tags.pop(RUN_NAME_TAG)
    return Logged(principal, run_id, run_uuid(run_id), points, params, tags, current_traceparent())


async def _log(running: Running, write: Logged) -> None:
    if RUN_NAME_TAG in write.tags:
        await _log_and_rename(running, write)
        return
    refused = await _committed(running, write)
    if refused is not None:
        raise _refusal(write.run_id, refused)


async def _committed(running: Running, write: Logged) -> Conflict | None:
    """Commit together with what others log just now; why it was refused, None when it is stored."""
    return await state_of(running).logged.commit(write)


async def _log_and_rename(running: Running, write: Logged) -> None:
    """The rare batch that names the run: its fact needs the run's state, read in between."""
    principal, run_id = write.principal, write.run_id
    async with unit_of_work(running, principal) as work:
        run = await run_to_change(work, principal, run_id)
        check_active(run)
        refused = await store.log_batch(
            work.connection,
            *(principal.workspace_id, write.run, write.points, write.params, write.tags),
            outbox_columns(running, [], principal),
        )
        if refused is not None:
            raise _refusal(run_id, refused)
        renamed = run.changed(name=write.tags[RUN_NAME_TAG])
        await save_run(work.connection, principal.tenant_no, renamed)
        work.record(run_changed(renamed))
        if write.points:
            for fact in metrics_logged(parts_of(run_id, write.points)):
                work.record(fact)
        work.record(details_logged(run_id, params=write.params, tags=write.tags))


def _refusal(run_id: str, refused: Conflict | store.Outcome) -> Refusal:
    if refused.why == "no-run":
        return no_run(run_id)
    if refused.why == "run-not-active":
        return not_active(run_id, refused.stage)
    if refused.why == "no-model":
        return no_model(refused.model)
    return params_changed(run_id, refused.params)
