"""Run logging: datasets and models that a run used and made."""

import json

from tests.conformance.cases import Request
from tests.conformance.generated import INTEGER, LIST, Field, Table
from tests.conformance.tables.logging import SECTION
from tests.conformance.tables.making import (
    TAG,
    UNKNOWN_MODEL,
    case,
    experiment,
    model,
    post,
    run,
    see_run,
)
from tests.conformance.tables.runs import GONE, RUN_ID, ids

_BEFORE = (experiment(), run(), *GONE)


def _log(path: str, **more: object) -> Request:
    return post(path, {"run_id": "$run", **more})


_DATASET = {"name": "d", "digest": "1", "source_type": "code", "source": "{}", "schema": "{}"}
_USE = {"dataset": _DATASET, "tags": [{"key": "mlflow.data.context", "value": "training"}]}
_INPUTS = Table(
    SECTION,
    "POST",
    "2.0/mlflow/runs/log-inputs",
    good={"run_id": "$run", "datasets": [_USE], "models": [{"model_id": "$model"}]},
    fields=[
        RUN_ID,
        Field("datasets", LIST),
        Field("datasets.0.dataset.name", limit=500),
        Field("datasets.0.dataset.digest", limit=36),
        Field("datasets.0.dataset.source_type"),
        Field("datasets.0.dataset.source", limit=65_535),
        Field("datasets.0.dataset.schema"),
        Field("datasets.0.dataset.profile"),
        Field("datasets.0.tags", LIST),
        Field("datasets.0.tags.0.key", limit=255),
        Field("datasets.0.tags.0.value", limit=500),
        Field("models", LIST),
        Field("models.0.model_id"),
    ],
    before=[*_BEFORE, model()],
    extra=[
        *ids("runs/log-inputs", datasets=[_USE]),
        case("seen", see_run()),
        case("repeated", *[_log("runs/log-inputs", datasets=[_USE])] * 2, see_run()),
        case("an unknown model", _log("runs/log-inputs", models=[{"model_id": UNKNOWN_MODEL}])),
        case("nothing", _log("runs/log-inputs")),
        case("without its dataset", _log("runs/log-inputs", datasets=[{"tags": []}])),
        case(
            "the same with other tags",
            _log("runs/log-inputs", datasets=[{"dataset": _DATASET, "tags": [TAG]}]),
            see_run(),
        ),
    ],
)
_OUTPUTS = Table(
    SECTION,
    "POST",
    "2.0/mlflow/runs/outputs",
    good={"run_id": "$run", "models": [{"model_id": "m-$new", "step": 3}]},
    fields=[
        RUN_ID,
        Field("models", LIST),
        Field("models.0.model_id"),
        Field("models.0.step", INTEGER),
    ],
    before=[*_BEFORE, model()],
    extra=[
        *ids("runs/outputs", models=[{"model_id": "m-$new", "step": 1}]),
        case("seen", see_run()),
        case("once", _log("runs/outputs", models=[{"model_id": "$model", "step": 3}]), see_run()),
        case("repeated", _log("runs/outputs", models=[{"model_id": "$model", "step": 3}])),
        case("nothing", _log("runs/outputs", models=[])),
        case("an unknown model", _log("runs/outputs", models=[{"model_id": UNKNOWN_MODEL}])),
    ],
)
_MODEL = {
    "artifact_path": "model",
    "flavors": {"python_function": {"loader_module": "x", "config": {"a": 1}}},
    "utc_time_created": "2026-01-01 00:00:00",
    "run_id": "0123456789abcdef0123456789abcdef",
    "model_uuid": "fedcba9876543210fedcba9876543210",
}
_LOG_MODEL = Table(
    SECTION,
    "POST",
    "2.0/mlflow/runs/log-model",
    good={"run_id": "$run", "model_json": json.dumps(_MODEL)},
    fields=[RUN_ID, Field("model_json")],
    before=_BEFORE,
    extra=[
        *ids("runs/log-model", model_json=json.dumps(_MODEL)),
        case("seen", see_run()),
        case("no JSON", _log("runs/log-model", model_json="{")),
        case(
            "one field missing",
            _log("runs/log-model", model_json=json.dumps({**_MODEL, "flavors": None})),
        ),
        *(
            case(
                f"without {name}",
                _log(
                    "runs/log-model",
                    model_json=json.dumps({k: v for k, v in _MODEL.items() if k != name}),
                ),
            )
            for name in _MODEL
        ),
    ],
)
TABLES = [_INPUTS, _OUTPUTS, _LOG_MODEL]
