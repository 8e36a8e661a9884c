"""Logging into runs over HTTP: metrics, params, tags, inputs and outputs."""

from typing import Final

from libs.common.http.routes import Call, Routes
from services.tracking.api.decisions import insist_on_models_of_points, insist_on_run
from services.tracking.api.views import named_run, pairs_of
from services.tracking.commands import inputs, logging
from services.tracking.commands import runs as runs_commands
from services.tracking.model.inputs import DatasetUse
from services.tracking.model.limits import check_batch, check_run_id_form
from services.tracking.model.metrics import Point, point
from services.tracking.schemas import answers, requests

routes: Final = Routes()


@routes.mlflow("POST", "2.0/mlflow/runs/log-metric", permission="run.log")
async def log_metric(call: Call, body: requests.LogMetric) -> object:
    """Log one point of a metric."""
    run_id = named_run(body.run_id, body.run_uuid)
    context = (body.model_id, body.dataset_name, body.dataset_digest)
    logged = point(body.key or "", body.value or 0.0, body.timestamp or 0, body.step, context)
    await insist_on_run(call, run_id)
    await insist_on_models_of_points(call, [logged.model_id])
    await logging.log_metric(call.running, call.principal, run_id, logged)
    return answers.NOTHING


@routes.mlflow("POST", "2.0/mlflow/runs/log-parameter", permission="run.log")
async def log_parameter(call: Call, body: requests.RunPair) -> object:
    """Log a param."""
    run_id = named_run(body.run_id, body.run_uuid)
    await insist_on_run(call, run_id)
    await logging.log_param(call.running, call.principal, run_id, body.key or "", body.value)
    return answers.NOTHING


@routes.mlflow("POST", "2.0/mlflow/runs/set-tag", permission="run.log")
async def set_tag(call: Call, body: requests.RunPair) -> object:
    """Set a tag of a run."""
    run_id = named_run(body.run_id, body.run_uuid)
    await insist_on_run(call, run_id)
    await logging.set_tag(call.running, call.principal, run_id, body.key or "", body.value)
    return answers.NOTHING


@routes.mlflow("POST", "2.0/mlflow/runs/delete-tag", permission="run.log")
async def delete_tag(call: Call, body: requests.DeleteTag) -> object:
    """Take a tag off a run."""
    await insist_on_run(call, body.run_id or "")
    await runs_commands.delete_tag(call.running, call.principal, body.run_id or "", body.key or "")
    return answers.NOTHING


@routes.mlflow("POST", "2.0/mlflow/runs/log-batch", permission="run.log")
async def log_batch(call: Call, body: requests.LogBatch) -> object:
    """Log metrics, params and tags, all or none."""
    check_batch(len(body.metrics), 0, 0)
    run_id = body.run_id or ""
    check_run_id_form(run_id)
    await insist_on_run(call, run_id)
    points = _points(body.metrics)
    await insist_on_models_of_points(call, [point.model_id for point in points])
    await logging.log_batch(
        call.running,
        call.principal,
        run_id,
        points,
        pairs_of(body.params),
        pairs_of(body.tags),
    )
    return answers.NOTHING


@routes.mlflow("POST", "2.0/mlflow/runs/log-inputs", permission="run.log")
async def log_inputs(call: Call, body: requests.LogInputs) -> object:
    """Log datasets and models that a run used."""
    run_id = body.run_id or ""
    check_run_id_form(run_id)
    datasets = [_use(given) for given in body.datasets]
    models = [model.model_id for model in body.models]
    await insist_on_run(call, run_id)
    await inputs.log_inputs(call.running, call.principal, run_id, datasets, models)
    return answers.NOTHING


@routes.mlflow("POST", "2.0/mlflow/runs/outputs", permission="run.log")
async def log_outputs(call: Call, body: requests.LogOutputs) -> object:
    """Log models that a run made."""
    models = [(model.model_id, model.step) for model in body.models or ()]
    await insist_on_run(call, body.run_id or "")
    await inputs.log_outputs(call.running, call.principal, body.run_id or "", models)
    return answers.NOTHING


@routes.mlflow("POST", "2.0/mlflow/runs/log-model", permission="run.log")
async def log_model(call: Call, body: requests.LogModel) -> object:
    """Log what old clients tell of a model."""
    await insist_on_run(call, body.run_id or "")
    await inputs.log_model(call.running, call.principal, body.run_id or "", body.model_json or "")
    return answers.NOTHING


def _points(metrics: list[requests.Metric]) -> list[Point]:
    found: list[Point] = []
    for place, given in enumerate(metrics):
        context = (given.model_id, given.dataset_name, given.dataset_digest)
        value, timestamp = given.value or 0.0, given.timestamp or 0
        found.append(point(given.key, value, timestamp, given.step, context, place))
    return found


def _use(given: requests.DatasetInput) -> DatasetUse:
    dataset = given.dataset
    return DatasetUse(
        name=dataset.name,
        digest=dataset.digest,
        source_type=dataset.source_type,
        source=dataset.source,
        schema=dataset.schema,
        profile=dataset.profile,
        tags={tag.key: tag.value for tag in given.tags},
    )
