"""Runs over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from msgspec import UNSET, Raw

from libs.common.http.routes import Call, Routes
from services.tracking.api.decisions import insist_on_experiment, insist_on_run
from services.tracking.api.views import (
    check_page,
    pairs_of,
    run_of,
    stages_of,
)
from services.tracking.cache import shown
from services.tracking.commands import runs as commands
from services.tracking.kept.memory import Shown
from services.tracking.model.experiments import experiment_number, known_numbers
from services.tracking.model.filters import run_clauses, run_orders
from services.tracking.model.runs import Run, no_run, run_uuid
from services.tracking.queries import runs as queries
from services.tracking.queries.access import experiments_among
from services.tracking.schemas import answers, requests

RUNS_AT_ONCE: Final = 500
routes: Final = Routes()


@routes.mlflow("POST", "2.0/mlflow/runs/create", permission="run.create")
async def create_run(call: Call, body: requests.CreateRun) -> object:
    """Start a run."""
    experiment_id = experiment_number(body.experiment_id or "0")
    await insist_on_experiment(call, experiment_id)
    run, tags = await commands.create_run(
        call.running,
        call.principal,
        experiment_id,
        name=body.run_name,
        user_id=body.user_id,
        start_time=body.start_time,
        tags=dict(pairs_of(body.tags)),
    )
    return answers.RunAnswer(
        answers.Run(
            info=_info(run),
            data=answers.RunData(tags=[answers.Pair(key, tags[key]) for key in tags]),
            inputs=answers.RunInputs(),
        )
    )


@routes.mlflow("GET", "2.0/mlflow/runs/get", permission="run.read")
async def get_run(call: Call, body: requests.RunId) -> object:
    """A run with its latest metrics, params, tags, inputs and outputs."""
    run_id = run_of(body)
    await insist_on_run(call, run_id)
    stored = run_uuid(run_id)
    database, principal = call.running.database, call.principal

    async def load(_: Sequence[UUID]) -> Mapping[UUID, Shown]:
        place = principal.tenant_no, principal.workspace_id
        return await queries.shown_run(database, *place, stored)

    found = (await shown(call.running, principal, [stored], load)).get(stored)
    if found is None:
        raise no_run(run_id)
    return b'{"run":%b}' % found.whole


@routes.mlflow("POST", "2.0/mlflow/runs/update", permission="run.update")
async def update_run(call: Call, body: requests.UpdateRun) -> object:
    """Change a run's status, end time or name."""
    run_id = run_of(body)
    await insist_on_run(call, run_id)
    run = await commands.update_run(
        call.running,
        call.principal,
        run_id,
        name=body.run_name,
        status=None if body.status is None else body.status.value,
        end_time=body.end_time,
    )
    return answers.RunInfoAnswer(_info(run))


@routes.mlflow("POST", "2.0/mlflow/runs/delete", permission="run.delete")
async def delete_run(call: Call, body: requests.RunId) -> object:
    """Put a run aside."""
    await insist_on_run(call, body.run_id or "")
    await commands.delete_run(call.running, call.principal, body.run_id or "")
    return answers.NOTHING


@routes.mlflow("POST", "2.0/mlflow/runs/restore", permission="run.delete")
async def restore_run(call: Call, body: requests.RunId) -> object:
    """Bring a run back."""
    await insist_on_run(call, body.run_id or "")
    await commands.restore_run(call.running, call.principal, body.run_id or "")
    return answers.NOTHING


@routes.mlflow("POST", "2.0/mlflow/runs/search", permission="run.read")
async def search_runs(call: Call, body: requests.SearchRuns) -> object:
    """A page of runs."""
    check_page(body.max_results)
    search = queries.RunSearch(
        experiment_ids=known_numbers(body.experiment_ids),
        clauses=run_clauses(body.filter),
        orders=run_orders(body.order_by),
        stages=stages_of(body.run_view_type),
        max_results=body.max_results,
        page=call.page(body.page_token),
    )
    tenant_no, workspace_id = call.principal.tenant_no, call.principal.workspace_id
    async with call.running.database.reading(tenant_no) as connection:
        among = await experiments_among(
            connection, call.principal, call.permission, search.experiment_ids
        )
        page = await queries.search_runs(connection, tenant_no, workspace_id, search, among)
    return answers.RunsAnswer(await _listed(call, page.numbers), page.next_page_token)


async def _listed(call: Call, numbers: Mapping[UUID, int]) -> list[Raw]:
    """Runs as a page shows them; one that was removed since it was found is left out.

    They are looked for after the search is over: what is kept of them may be newer than it.
    """
    database, principal = call.running.database, call.principal

    async def load(missing: Sequence[UUID]) -> Mapping[UUID, Shown]:
        place = principal.tenant_no, principal.workspace_id
        return await queries.shown_runs(database, *place, [numbers[run] for run in missing])

    listed: list[Raw] = []
    runs = list(numbers)
    for at in range(0, len(runs), RUNS_AT_ONCE):
        some = runs[at : at + RUNS_AT_ONCE]
        found = await shown(call.running, principal, some, load)
        listed += [Raw(found[run].listed) for run in some if run in found]
    return listed


def _info(run: Run) -> answers.RunInfo:
    return answers.RunInfo(
        run_uuid=run.run_id,
        experiment_id=str(run.experiment_id),
        run_name=run.name,
        user_id=run.user_id,
        status=run.status,
        start_time=run.start_time,
        end_time=run.end_time or UNSET,
        artifact_uri=run.artifact_uri,
        lifecycle_stage=run.lifecycle_stage,
        run_id=run.run_id,
    )
