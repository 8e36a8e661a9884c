"""What MLflow's web pages ask for that is not served here: answered as a server without any of it.

Nothing of anybody's is in these answers. They keep the pages from showing errors for features that
a plain server has, and no traces, assistants or gateway endpoints are in.
"""

from typing import Any, Final

import msgspec

from libs.common.errors import invalid
from libs.common.http.routes import AJAX_ONLY, Call, Routes
from libs.common.http.wire import SEE_DOCS
from services.tracking.schemas.answers import NOTHING

# Whoever is signed in may ask: a route that reads is not refused before its handler.
_ANYBODY: Final = "workspace.read"
routes: Final = Routes()


class Aggregation(msgspec.Struct, frozen=True):
    """One number that is wanted of many traces."""

    aggregation_type: str = ""


class TraceMetrics(msgspec.Struct, frozen=True):
    """What a chart about traces asks for; `time_interval_seconds` cuts it into pieces of time."""

    experiment_ids: list[str] = []
    metric_name: str = ""
    aggregations: list[Aggregation] = []
    dimensions: list[str] = []
    time_interval_seconds: int = 0


class TraceSearch(msgspec.Struct, frozen=True):
    """Where traces are searched."""

    locations: list[dict[str, Any]] = []


class Nothing(msgspec.Struct, frozen=True):
    """A body of which nothing is read."""


@routes.mlflow("POST", "3.0/mlflow/traces/search", permission="run.read")
async def search_traces(_: Call, body: TraceSearch) -> object:
    """No traces."""
    _require_some(body, "locations")
    return NOTHING


@routes.mlflow("POST", "3.0/mlflow/traces/metrics", permission="run.read")
async def query_trace_metrics(_: Call, body: TraceMetrics) -> object:
    """A count of none where one number is asked for, no points else."""
    _require_some(body, "experiment_ids")
    counts = any(each.aggregation_type == "COUNT" for each in body.aggregations)
    if not counts or body.dimensions or body.time_interval_seconds:
        return NOTHING
    point = {"metric_name": body.metric_name, "values": {"COUNT": 0.0}}
    return {"data_points": [point]}


@routes.mlflow("POST", "3.0/mlflow/datasets/search", permission="run.read")
async def search_evaluation_datasets(_: Call, __: Nothing) -> object:
    """No datasets for evaluation."""
    return NOTHING


@routes.mlflow("GET", "2.0/mlflow/gateway-proxy", permission=_ANYBODY, prefixes=AJAX_ONLY)
@routes.mlflow("POST", "2.0/mlflow/gateway-proxy", permission=_ANYBODY, prefixes=AJAX_ONLY)
async def list_gateway_endpoints(_: Call, __: Nothing) -> object:
    """No endpoints of a gateway for language models."""
    return {"endpoints": []}


@routes.mlflow("GET", "3.0/mlflow/assistant/config", permission=_ANYBODY, prefixes=AJAX_ONLY)
async def get_assistant_config(_: Call) -> object:
    """No assistant is set up."""
    return {"providers": {}, "projects": {}, "remote_access_allowed": False}


@routes.mlflow("GET", "3.0/mlflow/assistant/providers", permission=_ANYBODY, prefixes=AJAX_ONLY)
async def list_assistant_providers(_: Call) -> object:
    """No assistant can be set up."""
    return {"providers": [], "resolved": None, "gateway_vendor_options": {}}


@routes.mlflow("GET", "3.0/mlflow/ui-telemetry", permission=_ANYBODY, prefixes=AJAX_ONLY)
async def get_ui_telemetry(_: Call) -> object:
    """The pages tell nobody what is done with them."""
    return {"disable_ui_events": [], "disable_ui_telemetry": True, "ui_rollout_percentage": 0}


@routes.mlflow("POST", "3.0/mlflow/ui-telemetry", permission=_ANYBODY, prefixes=AJAX_ONLY)
async def post_ui_telemetry(_: Call, __: Nothing) -> object:
    """What the pages tell all the same is dropped."""
    return {"status": "disabled"}


def _require_some(body: object, field: str) -> None:
    """Refuse an empty list as MLflow refuses a field that is absent."""
    if not getattr(body, field):
        raise invalid(f"Missing value for required parameter '{field}'.{SEE_DOCS}")
