"""Experiments over HTTP."""

from typing import Final

from libs.common.access.selection import Selection
from libs.common.errors import invalid
from libs.common.http.routes import AJAX_ONLY, Call, Routes
from services.tracking.api.views import LARGEST_PAGE, check_page, pairs_of, stages_of
from services.tracking.commands import experiments as commands
from services.tracking.commands.experiments import ensure_default
from services.tracking.model.experiments import (
    experiment_number,
    no_experiment,
    no_experiment_named,
)
from services.tracking.model.filters import experiment_clauses, experiment_orders
from services.tracking.queries import experiments as queries
from services.tracking.queries.access import experiments_among, selected
from services.tracking.schemas import answers, requests
from services.tracking.state import state_of

routes: Final = Routes()
_MOST_DATASET_EXPERIMENTS: Final = 20


@routes.mlflow("POST", "2.0/mlflow/experiments/create", permission="experiment.create")
async def create_experiment(call: Call, body: requests.CreateExperiment) -> object:
    """Make an experiment; its id."""
    experiment_id = await commands.create_experiment(
        call.running,
        call.principal,
        body.name or "",
        pairs_of(body.tags),
        body.artifact_location or "",
    )
    return answers.CreatedExperiment(str(experiment_id))


@routes.mlflow("GET", "2.0/mlflow/experiments/get", permission="experiment.read")
async def get_experiment(call: Call, body: requests.ExperimentId) -> object:
    """An experiment by its id."""
    experiment_id = _experiment_of(body)
    await ensure_default(call.running, call.principal)
    tenant_no, workspace = call.principal.tenant_no, _workspace(call)
    async with call.running.database.reading(tenant_no) as connection:
        found = await queries.experiment_by_id(
            connection, tenant_no, workspace, _selected(call), experiment_id
        )
    if found is None:
        raise no_experiment(experiment_id)
    return answers.ExperimentAnswer(found)


@routes.mlflow("GET", "2.0/mlflow/experiments/get-by-name", permission="experiment.read")
async def get_experiment_by_name(call: Call, body: requests.ExperimentName) -> object:
    """An experiment by its name."""
    name = body.experiment_name or ""
    await ensure_default(call.running, call.principal)
    tenant_no, workspace = call.principal.tenant_no, _workspace(call)
    async with call.running.database.reading(tenant_no) as connection:
        found = await queries.experiment_by_name(
            connection, tenant_no, workspace, _selected(call), name
        )
    if found is None:
        raise no_experiment_named(name)
    return answers.ExperimentAnswer(found)


@routes.mlflow("POST", "2.0/mlflow/experiments/update", permission="experiment.manage")
async def update_experiment(call: Call, body: requests.UpdateExperiment) -> object:
    """Rename an experiment."""
    await commands.rename_experiment(
        call.running,
        call.principal,
        call.permission,
        experiment_number(body.experiment_id or ""),
        body.new_name or "",
    )
    return answers.NOTHING


@routes.mlflow("POST", "2.0/mlflow/experiments/delete", permission="experiment.delete")
async def delete_experiment(call: Call, body: requests.ExperimentId) -> object:
    """Put an experiment and its runs aside."""
    await commands.delete_experiment(
        call.running, call.principal, call.permission, _experiment_of(body)
    )
    return answers.NOTHING


@routes.mlflow("POST", "2.0/mlflow/experiments/restore", permission="experiment.delete")
async def restore_experiment(call: Call, body: requests.ExperimentId) -> object:
    """Bring an experiment and its runs back."""
    await commands.restore_experiment(
        call.running, call.principal, call.permission, _experiment_of(body)
    )
    return answers.NOTHING


@routes.mlflow("POST", "2.0/mlflow/experiments/set-experiment-tag", permission="experiment.update")
async def set_experiment_tag(call: Call, body: requests.ExperimentTag) -> object:
    """Tag an experiment."""
    await commands.set_tag(
        call.running,
        call.principal,
        call.permission,
        experiment_number(body.experiment_id or ""),
        body.key or "",
        body.value,
    )
    return answers.NOTHING


@routes.mlflow(
    "POST", "2.0/mlflow/experiments/delete-experiment-tag", permission="experiment.update"
)
async def delete_experiment_tag(call: Call, body: requests.ExperimentTagKey) -> object:
    """Take a tag off an experiment."""
    experiment_id = experiment_number(body.experiment_id or "")
    await commands.delete_tag(
        call.running, call.principal, call.permission, experiment_id, body.key or ""
    )
    return answers.NOTHING


@routes.mlflow("GET", "2.0/mlflow/experiments/search", permission="experiment.read")
@routes.mlflow("POST", "2.0/mlflow/experiments/search", permission="experiment.read")
async def search_experiments(call: Call, body: requests.SearchExperiments) -> object:
    """A page of experiments."""
    check_page(body.max_results)
    if body.max_results > LARGEST_PAGE:
        raise invalid(
            f"Invalid value {body.max_results} for parameter 'max_results' supplied. It must be at"
            f" most {LARGEST_PAGE}"
        )
    search = queries.ExperimentSearch(
        clauses=experiment_clauses(body.filter),
        orders=experiment_orders(body.order_by),
        stages=stages_of(body.view_type),
        max_results=body.max_results,
        page=call.page(body.page_token),
    )
    await ensure_default(call.running, call.principal)
    tenant_no, workspace = call.principal.tenant_no, _workspace(call)
    async with call.running.database.reading(tenant_no) as connection:
        return await queries.search_experiments(
            connection,
            state_of(call.running).known,
            *(tenant_no, workspace),
            _selected(call),
            search,
        )


@routes.mlflow(
    "POST",
    "2.0/mlflow/experiments/search-datasets",
    permission="run.read",
    prefixes=AJAX_ONLY,
)
async def search_datasets(call: Call, body: requests.SearchDatasets) -> object:
    """The datasets that runs of some experiments used, for the web UI."""
    count = len(body.experiment_ids)
    if not count:
        raise invalid("SearchDatasets request must specify at least one experiment_id.")
    if count > _MOST_DATASET_EXPERIMENTS:
        raise invalid(
            "SearchDatasets request cannot specify more than"
            f" {_MOST_DATASET_EXPERIMENTS} experiment_ids. Received {count} experiment_ids."
        )
    numbers = [experiment_number(experiment_id) for experiment_id in body.experiment_ids]
    tenant_no, workspace_id = call.principal.tenant_no, call.principal.workspace_id
    async with call.running.database.reading(tenant_no) as connection:
        among = await experiments_among(connection, call.principal, call.permission, numbers)
        found = await queries.datasets_of(connection, tenant_no, workspace_id, among)
    return answers.DatasetsAnswer(found)


def _selected(call: Call) -> Selection:
    return selected(call.principal, call.permission)


def _experiment_of(body: requests.ExperimentId) -> int:
    return experiment_number(body.experiment_id or "")


def _workspace(call: Call) -> queries.Workspace:
    return queries.Workspace(call.principal.workspace_id, call.principal.workspace)
