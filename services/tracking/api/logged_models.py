"""Logged models over HTTP."""

from collections.abc import Mapping
from typing import Final

from libs.common.errors import invalid
from libs.common.http.routes import Call, Routes
from services.tracking.api.decisions import insist_on_experiment, insist_on_model
from services.tracking.api.views import check_page, pairs_of
from services.tracking.commands import logged_models as commands
from services.tracking.model.experiments import experiment_number, known_numbers
from services.tracking.model.filters import logged_model_clauses, logged_model_order
from services.tracking.model.logged_models import (
    WIRE_STATUSES,
    LoggedModel,
    NewModel,
    model_uuid,
)
from services.tracking.model.metrics import no_model
from services.tracking.queries import logged_models as queries
from services.tracking.queries.access import experiments_among, selected
from services.tracking.queries.logged_model_filters import Dataset, OrderBy
from services.tracking.schemas import logged_models as schemas
from services.tracking.schemas.answers import NOTHING, Pair

DEFAULT_PAGE: Final = 100
LARGEST_PAGE: Final = 1_000
_RUNS: Final = "run.read"
routes: Final = Routes()


@routes.mlflow("POST", "2.0/mlflow/logged-models", permission="logged-model.create")
async def create_logged_model(call: Call, body: schemas.CreateLoggedModel) -> object:
    """Make a model, pending until it is finalized."""
    new = NewModel(
        experiment_number(body.experiment_id or ""),
        body.name,
        body.model_type,
        body.source_run_id,
    )
    await insist_on_experiment(call, new.experiment_id)
    created = await commands.create(
        call.running, call.principal, new, pairs_of(body.params), pairs_of(body.tags)
    )
    return schemas.LoggedModelAnswer(
        schemas.LoggedModel(
            _info(created.model, created.tags), schemas.Data(_by_key(created.params))
        )
    )


@routes.mlflow("POST", "2.0/mlflow/logged-models/search", permission="logged-model.read")
async def search_logged_models(call: Call, body: schemas.SearchLoggedModels) -> object:
    """A page of models."""
    if any(not dataset.dataset_name for dataset in body.datasets):
        raise invalid("`dataset_name` in the `datasets` clause must be specified.")
    max_results = body.max_results or DEFAULT_PAGE
    check_page(max_results)
    wanted = queries.LoggedModelSearch(
        experiment_ids=known_numbers(body.experiment_ids or ()),
        clauses=logged_model_clauses(body.filter),
        datasets=[Dataset(given.dataset_name, given.dataset_digest) for given in body.datasets],
        orders=[_order(given) for given in body.order_by],
        max_results=min(max_results, LARGEST_PAGE),
        page=call.page(body.page_token),
    )
    tenant_no, workspace_id = call.principal.tenant_no, call.principal.workspace_id
    async with call.running.database.reading(tenant_no) as connection:
        among = await experiments_among(
            connection, call.principal, call.permission, wanted.experiment_ids
        )
        return await queries.search(
            *(connection, tenant_no, workspace_id),
            *(wanted, among, selected(call.principal, _RUNS)),
        )


@routes.mlflow("GET", "2.0/mlflow/logged-models/{model_id}", permission="logged-model.read")
async def get_logged_model(call: Call, body: schemas.GetLoggedModel) -> object:
    """A model with its params, tags and metrics."""
    model_id = _model_id(call)
    await insist_on_model(call, model_id)
    return await _answer(call, model_id, also_deleted=body.allow_deleted.lower() == "true")


@routes.mlflow("PATCH", "2.0/mlflow/logged-models/{model_id}", permission="logged-model.update")
async def finalize_logged_model(call: Call, body: schemas.FinalizeLoggedModel) -> object:
    """Give the model that the body names its status; the path's id counts for nothing."""
    model_id = body.model_id or ""
    await insist_on_model(call, model_id)
    await commands.finalize(call.running, call.principal, model_id, _status_number(body.status))
    return await _answer(call, model_id, also_deleted=True)


@routes.mlflow("DELETE", "2.0/mlflow/logged-models/{model_id}", permission="logged-model.delete")
async def delete_logged_model(call: Call) -> object:
    """Put a model aside."""
    await insist_on_model(call, _model_id(call))
    await commands.delete(call.running, call.principal, _model_id(call))
    return NOTHING


@routes.mlflow(
    "PATCH", "2.0/mlflow/logged-models/{model_id}/tags", permission="logged-model.update"
)
async def set_logged_model_tags(call: Call, body: schemas.SetTags) -> object:
    """Set tags."""
    await insist_on_model(call, _model_id(call))
    await commands.set_tags(call.running, call.principal, _model_id(call), pairs_of(body.tags))
    return NOTHING


@routes.mlflow(
    "DELETE", "2.0/mlflow/logged-models/{model_id}/tags/{tag_key}", permission="logged-model.update"
)
async def delete_logged_model_tag(call: Call) -> object:
    """Take a tag off a model."""
    key = call.request.path_params["tag_key"]
    await insist_on_model(call, _model_id(call))
    await commands.delete_tag(call.running, call.principal, _model_id(call), key)
    return NOTHING


@routes.mlflow(
    "POST", "2.0/mlflow/logged-models/{model_id}/params", permission="logged-model.update"
)
async def log_logged_model_params(call: Call, body: schemas.LogParams) -> object:
    """Add params to the model that the path names; the body's id must only be there."""
    await insist_on_model(call, _model_id(call))
    await commands.log_params(call.running, call.principal, _model_id(call), pairs_of(body.params))
    return NOTHING


async def _answer(call: Call, model_id: str, *, also_deleted: bool = False) -> object:
    tenant_no, workspace_id = call.principal.tenant_no, call.principal.workspace_id
    stored = model_uuid(model_id)
    async with call.running.database.reading(tenant_no) as connection:
        found = await queries.logged_model(
            *(connection, tenant_no, workspace_id, stored),
            also_deleted=also_deleted,
            runs=selected(call.principal, _RUNS),
        )
    if found is None:
        raise no_model(model_id)
    return schemas.LoggedModelAnswer(found)


def _info(model: LoggedModel, tags: Mapping[str, str]) -> schemas.Info:
    return schemas.Info(
        model_id=model.model_id,
        experiment_id=str(model.experiment_id),
        name=model.name,
        creation_timestamp_ms=model.creation_time,
        last_updated_timestamp_ms=model.last_update_time,
        artifact_uri=model.artifact_uri,
        status=WIRE_STATUSES[model.status],
        model_type=model.model_type,
        source_run_id=model.source_run_id,
        tags=_by_key(tags),
    )


def _status_number(status: schemas.Status | None) -> int:
    """MLflow's number of a status; unspecified where none is given."""
    return 0 if status is None else WIRE_STATUSES.index(status.value)


def _by_key(texts: Mapping[str, str]) -> list[Pair]:
    return [Pair(key, texts[key]) for key in sorted(texts)]


def _order(given: schemas.OrderBy) -> OrderBy:
    order = logged_model_order(given.field_name, ascending=given.ascending)
    named = given.dataset_name or given.dataset_digest
    return OrderBy(order, Dataset(given.dataset_name, given.dataset_digest) if named else None)


def _model_id(call: Call) -> str:
    model_id: str = call.request.path_params["model_id"]
    return model_id
