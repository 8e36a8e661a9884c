"""Histories of metrics over HTTP."""

from typing import Final

from libs.common.errors import invalid
from libs.common.http.checks import INTEGER, unfit
from libs.common.http.routes import AJAX_ONLY, Call, Routes
from services.tracking.api.decisions import insist_on_run, shows
from services.tracking.api.views import check_page, named_run
from services.tracking.commands.thawing import reading_points, unfrozen
from services.tracking.model.runs import known_run_uuids
from services.tracking.queries import metrics as queries
from services.tracking.queries.access import runs_among
from services.tracking.schemas import answers, requests

routes: Final = Routes()
_MOST_RUNS: Final = 100
_MOST_POINTS: Final = 25_000
_LEAST_STEP: Final = -(2**63)
_LAST_STEP: Final = 2**63 - 1


@routes.mlflow("GET", "2.0/mlflow/metrics/get-history", permission="run.read")
async def get_metric_history(call: Call, body: requests.MetricHistory) -> object:
    """All points of a metric, or a page of them."""
    run_id = named_run(body.run_id, body.run_uuid)
    if body.max_results is not None:
        check_page(body.max_results, ".")
    runs = known_run_uuids([run_id])
    if not runs or not await shows(insist_on_run(call, run_id)):
        return answers.MetricsAnswer()
    tenant_no, workspace_id = call.principal.tenant_no, call.principal.workspace_id
    key = body.metric_key or ""
    async with reading_points(call.running, call.principal, workspace_id, runs, key) as connection:
        return await queries.history(
            connection,
            *(tenant_no, workspace_id, runs[0], key),
            *(body.max_results, call.page(body.page_token)),
        )


@routes.mlflow(
    "GET", "2.0/mlflow/metrics/get-history-bulk", permission="run.read", prefixes=AJAX_ONLY
)
async def get_metric_history_bulk(call: Call, body: requests.MetricHistoryBulk) -> object:
    """Points of a metric of several runs, for the web UI."""
    if not body.run_id:
        raise invalid("GetMetricHistoryBulk request must specify at least one run_id.")
    if len(body.run_id) > _MOST_RUNS:
        raise invalid(
            f"GetMetricHistoryBulk request cannot specify more than {_MOST_RUNS} run_ids. Received"
            f" {len(body.run_id)} run_ids."
        )
    if body.metric_key is None:
        raise invalid("GetMetricHistoryBulk request must specify a metric_key.")
    limit = max(0, min(_integer("max_results", body.max_results), _MOST_POINTS))
    tenant_no, workspace_id = call.principal.tenant_no, call.principal.workspace_id
    wanted = known_run_uuids(body.run_id)
    runs = await runs_among(call.running, call.principal, call.permission, wanted)
    async with reading_points(
        call.running, call.principal, workspace_id, runs, body.metric_key
    ) as connection:
        points = await queries.histories(
            connection, tenant_no, workspace_id, runs, body.metric_key, limit
        )
    return answers.BulkMetricsAnswer(points)


@routes.mlflow("GET", "2.0/mlflow/metrics/get-history-bulk-interval", permission="run.read")
async def get_metric_history_bulk_interval(
    call: Call, body: requests.MetricHistoryInterval
) -> object:
    """Points of a metric of several runs, evenly sampled for a chart."""
    tenant_no, workspace_id = call.principal.tenant_no, call.principal.workspace_id
    key, steps = body.metric_key or "", _steps(body)
    wanted = known_run_uuids(body.run_ids)
    runs = await runs_among(call.running, call.principal, call.permission, wanted)
    points = await unfrozen(
        call.running,
        call.principal,
        *(workspace_id, runs, key),
        lambda: queries.samples(
            call.running.database,
            *(tenant_no, workspace_id, runs, key),
            *(steps, int(body.max_results)),
        ),
    )
    return answers.IntervalMetricsAnswer(points)


def _integer(name: str, text: str) -> int:
    if not INTEGER(text):
        raise unfit(name, text)
    return int(text)


def _steps(body: requests.MetricHistoryInterval) -> tuple[int, int] | None:
    if body.start_step is None and body.end_step is None:
        return None
    if body.start_step is None or body.end_step is None:
        raise invalid("If either start step or end step are specified, both must be specified.")
    first, last = _integer("start_step", body.start_step), _integer("end_step", body.end_step)
    if first > last:
        raise invalid(
            "end_step must be greater than start_step."
            f" Found start_step={first} and end_step={last}."
        )
    return max(first, _LEAST_STEP), min(last, _LAST_STEP)
