"""What clients send of experiments and runs; a field that is unset is None or empty.

`SCHEMA` is what MLflow checks of each, in its order.
"""

from typing import ClassVar

import msgspec

from libs.common.http.checks import (
    INTEGER,
    LIST,
    NUMBER,
    REQUIRED,
    TEXT,
    TEXTS,
    WHOLE,
    Schema,
    at_most,
    at_most_items,
    between,
    each_with,
)
from libs.common.http.reading import Choice


class View(Choice):
    """Which lifecycle stages a search looks at."""

    ACTIVE_ONLY = "ACTIVE_ONLY"
    DELETED_ONLY = "DELETED_ONLY"
    ALL = "ALL"


class Status(Choice):
    """The states of a run."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


class Pair(msgspec.Struct):
    """A tag or a param."""

    key: str = ""
    value: str = ""


class CreateExperiment(msgspec.Struct):
    """experiments/create."""

    SCHEMA: ClassVar[Schema] = {
        "name": (REQUIRED, TEXT),
        "artifact_location": (TEXT,),
        "tags": (LIST,),
    }

    name: str | None = None
    artifact_location: str | None = None
    tags: list[Pair] = []


class ExperimentId(msgspec.Struct):
    """experiments/get, delete and restore."""

    SCHEMA: ClassVar[Schema] = {"experiment_id": (REQUIRED, TEXT)}

    experiment_id: str | None = None


class ExperimentName(msgspec.Struct):
    """experiments/get-by-name."""

    SCHEMA: ClassVar[Schema] = {"experiment_name": (REQUIRED, TEXT)}

    experiment_name: str | None = None


class UpdateExperiment(msgspec.Struct):
    """experiments/update."""

    SCHEMA: ClassVar[Schema] = {"experiment_id": (REQUIRED, TEXT), "new_name": (TEXT, REQUIRED)}

    experiment_id: str | None = None
    new_name: str | None = None


class ExperimentTag(msgspec.Struct):
    """experiments/set-experiment-tag."""

    SCHEMA: ClassVar[Schema] = {
        "experiment_id": (REQUIRED, TEXT),
        "key": (REQUIRED, TEXT),
        "value": (TEXT,),
    }

    experiment_id: str | None = None
    key: str | None = None
    value: str = ""


class ExperimentTagKey(msgspec.Struct):
    """experiments/delete-experiment-tag."""

    SCHEMA: ClassVar[Schema] = {"experiment_id": (REQUIRED, TEXT), "key": (REQUIRED, TEXT)}

    experiment_id: str | None = None
    key: str | None = None


class SearchExperiments(msgspec.Struct):
    """experiments/search."""

    SCHEMA: ClassVar[Schema] = {
        "view_type": (INTEGER,),
        "max_results": (INTEGER,),
        "order_by": (LIST,),
        "filter": (TEXT,),
        "page_token": (TEXT,),
    }

    max_results: int = 0
    page_token: str | None = None
    filter: str = ""
    order_by: list[str] = []
    view_type: View | None = None


class SearchDatasets(msgspec.Struct):
    """experiments/search-datasets."""

    SCHEMA: ClassVar[Schema] = {}

    experiment_ids: list[str] = []


class CreateRun(msgspec.Struct):
    """runs/create."""

    SCHEMA: ClassVar[Schema] = {
        "experiment_id": (TEXT,),
        "start_time": (INTEGER,),
        "run_name": (TEXT,),
    }

    experiment_id: str | None = None
    user_id: str = ""
    run_name: str = ""
    start_time: int = 0
    tags: list[Pair] = []


class RunId(msgspec.Struct):
    """runs/get, delete and restore; `run_uuid` is the name of old clients."""

    SCHEMA: ClassVar[Schema] = {"run_id": (REQUIRED, TEXT)}

    run_id: str | None = None
    run_uuid: str | None = None


class UpdateRun(msgspec.Struct):
    """runs/update."""

    SCHEMA: ClassVar[Schema] = {
        "run_id": (REQUIRED, TEXT),
        "end_time": (INTEGER,),
        "status": (TEXT,),
        "run_name": (TEXT,),
    }

    run_id: str | None = None
    run_uuid: str | None = None
    status: Status | None = None
    end_time: int | None = None
    run_name: str | None = None


class SearchRuns(msgspec.Struct):
    """runs/search."""

    SCHEMA: ClassVar[Schema] = {
        "experiment_ids": (LIST,),
        "filter": (TEXT,),
        "max_results": (INTEGER, at_most(50_000)),
        "order_by": (LIST, TEXTS),
    }

    experiment_ids: list[str] = []
    filter: str = ""
    run_view_type: View | None = None
    max_results: int = 1000
    order_by: list[str] = []
    page_token: str | None = None


class LogMetric(msgspec.Struct):
    """runs/log-metric."""

    SCHEMA: ClassVar[Schema] = {
        "run_id": (REQUIRED, TEXT),
        "key": (REQUIRED, TEXT),
        "value": (REQUIRED, NUMBER),
        "timestamp": (INTEGER, REQUIRED),
        "step": (INTEGER,),
        "model_id": (TEXT,),
        "dataset_name": (TEXT,),
        "dataset_digest": (TEXT,),
    }

    run_id: str | None = None
    run_uuid: str | None = None
    key: str | None = None
    value: float | None = None
    timestamp: int | None = None
    step: int = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class RunPair(msgspec.Struct):
    """runs/log-parameter and set-tag."""

    SCHEMA: ClassVar[Schema] = {
        "run_id": (REQUIRED, TEXT),
        "key": (REQUIRED, TEXT),
        "value": (TEXT,),
    }

    run_id: str | None = None
    run_uuid: str | None = None
    key: str | None = None
    value: str = ""


class DeleteTag(msgspec.Struct):
    """runs/delete-tag."""

    SCHEMA: ClassVar[Schema] = {"run_id": (REQUIRED, TEXT), "key": (REQUIRED, TEXT)}

    run_id: str | None = None
    key: str | None = None


class Metric(msgspec.Struct):
    """A point in a batch."""

    key: str = ""
    value: float | None = None
    timestamp: int | None = None
    step: int = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class LogBatch(msgspec.Struct):
    """runs/log-batch."""

    SCHEMA: ClassVar[Schema] = {
        "run_id": (TEXT, REQUIRED),
        "metrics": (LIST, each_with("metrics", "key", "value", "timestamp")),
        "params": (LIST, each_with("params", "key")),
        "tags": (LIST, each_with("tags", "key")),
    }

    run_id: str | None = None
    metrics: list[Metric] = []
    params: list[Pair] = []
    tags: list[Pair] = []


class Dataset(msgspec.Struct):
    """What a dataset is, as the client tells it."""

    name: str = ""
    digest: str = ""
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""


class DatasetInput(msgspec.Struct):
    """A dataset and what it was used for."""

    dataset: Dataset = msgspec.field(default_factory=Dataset)
    tags: list[Pair] = []


class Model(msgspec.Struct):
    """A logged model that a run used or made."""

    model_id: str = ""
    step: int = 0


class LogInputs(msgspec.Struct):
    """runs/log-inputs."""

    SCHEMA: ClassVar[Schema] = {"run_id": (REQUIRED, TEXT), "datasets": (LIST,), "models": (LIST,)}

    run_id: str | None = None
    datasets: list[DatasetInput] = []
    models: list[Model] = []


class LogOutputs(msgspec.Struct):
    """runs/outputs."""

    SCHEMA: ClassVar[Schema] = {"run_id": (REQUIRED, TEXT), "models": (REQUIRED, LIST)}

    run_id: str | None = None
    models: list[Model] | None = None


class LogModel(msgspec.Struct):
    """runs/log-model, of clients from before logged models."""

    SCHEMA: ClassVar[Schema] = {"run_id": (TEXT, REQUIRED), "model_json": (TEXT, REQUIRED)}

    run_id: str | None = None
    model_json: str | None = None


class MetricHistory(msgspec.Struct):
    """metrics/get-history."""

    SCHEMA: ClassVar[Schema] = {
        "run_id": (TEXT, REQUIRED),
        "metric_key": (TEXT, REQUIRED),
        "page_token": (TEXT,),
    }

    run_id: str | None = None
    run_uuid: str | None = None
    metric_key: str | None = None
    page_token: str | None = None
    max_results: int | None = None


class MetricHistoryBulk(msgspec.Struct):
    """metrics/get-history-bulk; numbers stay as they were written."""

    run_id: list[str] = []
    metric_key: str | None = None
    max_results: str = "25000"


class MetricHistoryInterval(msgspec.Struct):
    """metrics/get-history-bulk-interval; numbers stay as they were written."""

    SCHEMA: ClassVar[Schema] = {
        "run_ids": (
            *(REQUIRED, LIST, TEXTS),
            at_most_items(
                100,
                "GetMetricHistoryBulkInterval request must specify at most 100 run_ids."
                " Received {count} run_ids.",
            ),
        ),
        "metric_key": (REQUIRED, TEXT),
        "start_step": (WHOLE,),
        "end_step": (WHOLE,),
        "max_results": (WHOLE, between(1, 2_500, "max_results must be between 1 and 2500.")),
    }

    run_ids: list[str] = []
    metric_key: str | None = None
    start_step: str | None = None
    end_step: str | None = None
    max_results: str = "2500"


class Nothing(msgspec.Struct):
    """A request without fields."""
