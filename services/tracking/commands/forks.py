"""Forking a run: a new one that goes on after a step of another, whose points stay where they are."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from libs.common.contracts.tracking import RunCreated
from libs.common.errors import unavailable
from libs.common.events.outbox import UnitOfWork, outbox_columns, unit_of_work
from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.commands.facts import brief, run_state
from services.tracking.commands.quotas import insist_on_run_quota
from services.tracking.commands.runs import new_run
from services.tracking.commands.thawing import ATTEMPTS, thaw
from services.tracking.model import limits
from services.tracking.model.archive import Frozen
from services.tracking.model.experiments import no_experiment, not_active
from services.tracking.model.forks import (
    MOST_BEFORE,
    fork_step,
    name_of_fork,
    tags_of_fork,
    too_long_a_line,
)
from services.tracking.model.runs import (
    RUN_NAME_TAG,
    Run,
    check_active,
    no_run,
    run_name,
    run_uuid,
)
from services.tracking.store import forks as store
from services.tracking.store import logging, thawing


@dataclass(frozen=True, slots=True)
class Fork:
    """A new run, the run that it continues, and the step after which it does."""

    run: Run
    source: Run
    step: int


class _Frozen(Exception):
    """Points that a fork needs have to be brought back first."""

    def __init__(self, metrics: list[Frozen]) -> None:
        super().__init__()
        self.metrics = metrics


async def fork_run(
    running: Running,
    principal: Principal,
    run_id: str,
    *,
    step: int | None,
    name: str,
    tags: Mapping[str, str],
) -> Fork:
    """A new run in the experiment of another, with all that was logged there up to a step."""
    await insist_on_run_quota(running, principal)
    given = dict(limits.tag(key, value) for key, value in tags.items())
    for _ in range(ATTEMPTS):
        try:
            return await _fork(running, principal, run_id, step=step, name=name, given=given)
        except _Frozen as needed:
            await thaw(running, principal, needed.metrics)
    raise unavailable("Archived points of the run were put away meanwhile; try again.")


async def _fork(
    running: Running,
    principal: Principal,
    run_id: str,
    *,
    step: int | None,
    name: str,
    given: Mapping[str, str],
) -> Fork:
    async with unit_of_work(running, principal) as work:
        source = await _source(work, principal, run_id)
        last, before = await store.extent(work.connection, principal.tenant_no, source)
        if before >= MOST_BEFORE:
            raise too_long_a_line(run_id)
        at = fork_step(step, last)
        await _insist_on_points(work, principal, source, at)
        theirs = await store.tags_of(work.connection, principal.tenant_no, source)
        called = run_name(name, given.get(RUN_NAME_TAG, "") or name or name_of_fork(source, at))
        called = called[: limits.TAG_VALUE_LENGTH]
        kept = {**tags_of_fork(source, at, theirs, given), RUN_NAME_TAG: called}
        run = new_run(principal, source.experiment_id, called, source.user_id, _now())
        await _create(running, work, principal, run, kept)
        await store.take_over(
            work.connection, principal.tenant_no, source, run_uuid(run.run_id), at
        )
        fact = RunCreated(
            version=run.version,
            run=run_state(run),
            tags=brief(kept),
            forked_from=source.run_id,
            forked_at_step=at,
        )
        work.record(fact)
    return Fork(run, source, at)


async def _insist_on_points(work: UnitOfWork, principal: Principal, source: Run, at: int) -> None:
    """Raise _Frozen where points of the past are needed, and lie in a file alone."""
    keys = await store.looked_for(work.connection, principal.tenant_no, source, at)
    if keys:
        await thawing.stay(work.connection, principal.tenant_no)
        frozen = await thawing.shown(
            work.connection,
            *(principal.tenant_no, principal.workspace_id, [run_uuid(source.run_id)], None),
        )
        if needed := [metric for metric in frozen if metric.key in keys]:
            raise _Frozen(needed)


async def _source(work: UnitOfWork, principal: Principal, run_id: str) -> Run:
    found = await store.run_to_fork(
        work.connection, principal.tenant_no, principal.workspace_id, run_uuid(run_id)
    )
    if found is None:
        raise no_run(run_id)
    check_active(found)
    return found


async def _create(
    running: Running, work: UnitOfWork, principal: Principal, run: Run, tags: dict[str, str]
) -> None:
    new = logging.NewRun(
        run_id=run_uuid(run.run_id),
        experiment_id=run.experiment_id,
        name=run.name,
        user_id=run.user_id,
        start_time=run.start_time,
        artifact_uri=run.artifact_uri,
        tags=tags,
    )
    told = outbox_columns(running, [], principal)
    refused = await logging.create_run(work.connection, principal.workspace_id, new, told)
    if refused is not None:
        raise (
            no_experiment(run.experiment_id)
            if refused.why == "no-experiment"
            else not_active(run.experiment_id, refused.stage)
        )


def _now() -> int:
    return time.time_ns() // 1_000_000
