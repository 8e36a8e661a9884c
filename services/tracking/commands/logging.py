"""Logging into a run: points, params and tags, each request in one round trip."""

from collections.abc import Sequence

import msgspec

from libs.common.errors import Refusal
from libs.common.events.outbox import outbox_columns, unit_of_work
from libs.common.failpoints import reach
from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.cache import changing
from services.tracking.commands.facts import details_logged, metrics_logged, run_changed
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
from services.tracking.store import logging as store
from services.tracking.store.runs import save_run

Pairs = Sequence[tuple[str, str]]


async def log_metric(running: Running, principal: Principal, run_id: str, point: Point) -> None:
    """Store one point."""
    run = run_uuid(run_id)
    told = outbox_columns(running, [metrics_logged(run_id, [point])], principal)
    reach("write.before-commit")
    async with changing(running, principal.tenant_no, run):
        refused = await store.log_metric(running.database, principal.workspace_id, run, point, told)
    _answered(running, run_id, refused)


async def log_param(
    running: Running, principal: Principal, run_id: str, key: str, value: str
) -> None:
    """Store a param; the same value again is no error, another one is."""
    params = dict([limits.param(key, value)])
    told = outbox_columns(running, [details_logged(run_id, params=params)], principal)
    reach("write.before-commit")
    run = run_uuid(run_id)
    async with changing(running, principal.tenant_no, run):
        refused = await store.log_batch(
            running.database, principal.workspace_id, run, [], params, {}, told
        )
    if refused is not None and refused.why == "params-changed":
        raise param_changed(run_id, *refused.params[0])
    _answered(running, run_id, refused)


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
    facts: list[msgspec.Struct] = []
    if points:
        facts.append(metrics_logged(run_id, points))
    if params or tags:
        facts.append(details_logged(run_id, params=params, tags=tags))
    if RUN_NAME_TAG in tags:
        await _log_and_rename(running, principal, run_id, points, params, tags, facts)
        return
    told = outbox_columns(running, facts, principal)
    reach("write.before-commit")
    run = run_uuid(run_id)
    async with changing(running, principal.tenant_no, run):
        refused = await store.log_batch(
            running.database, principal.workspace_id, run, points, params, tags, told
        )
    _answered(running, run_id, refused)


async def _log_and_rename(
    running: Running,
    principal: Principal,
    run_id: str,
    points: Sequence[Point],
    params: dict[str, str],
    tags: dict[str, str],
    facts: list[msgspec.Struct],
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
        for fact in facts:
            work.record(fact)


def _answered(running: Running, run_id: str, refused: store.Outcome | None) -> None:
    if refused is not None:
        raise _refusal(run_id, refused)
    reach("write.after-commit")
    running.wake_relay()


def _refusal(run_id: str, refused: store.Outcome) -> Refusal:
    if refused.why == "no-run":
        return no_run(run_id)
    if refused.why == "run-not-active":
        return not_active(run_id, refused.stage)
    if refused.why == "no-model":
        return no_model(refused.model)
    return params_changed(run_id, refused.params)
