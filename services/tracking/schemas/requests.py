"""What clients send of experiments and runs; a field that is unset is None.

Enumerations come by name or by number, as protobuf's reader takes them.
"""

import msgspec

Enumeration = str | int


class Pair(msgspec.Struct):
    """A tag or a param."""

    key: str = ""
    value: str = ""


class CreateExperiment(msgspec.Struct):
    """experiments/create."""

    name: str | None = None
    artifact_location: str | None = None
    tags: list[Pair] = []


class ExperimentId(msgspec.Struct):
    """experiments/get, delete and restore."""

    experiment_id: str | None = None


class ExperimentName(msgspec.Struct):
    """experiments/get-by-name."""

    experiment_name: str | None = None


class UpdateExperiment(msgspec.Struct):
    """experiments/update."""

    experiment_id: str | None = None
    new_name: str | None = None


class ExperimentTag(msgspec.Struct):
    """experiments/set-experiment-tag and delete-experiment-tag."""

    experiment_id: str | None = None
    key: str | None = None
    value: str = ""


class SearchExperiments(msgspec.Struct):
    """experiments/search."""

    max_results: int = 0
    page_token: str | None = None
    filter: str = ""
    order_by: list[str] = []
    view_type: Enumeration | None = None


class SearchDatasets(msgspec.Struct):
    """experiments/search-datasets."""

    experiment_ids: list[str] = []


class CreateRun(msgspec.Struct):
    """runs/create."""

    experiment_id: str | None = None
    user_id: str = ""
    run_name: str = ""
    start_time: int = 0
    tags: list[Pair] = []


class RunId(msgspec.Struct):
    """runs/get, delete and restore; `run_uuid` is the name of old clients."""

    run_id: str | None = None
    run_uuid: str | None = None


class UpdateRun(msgspec.Struct):
    """runs/update."""

    run_id: str | None = None
    run_uuid: str | None = None
    status: Enumeration | None = None
    end_time: int | None = None
    run_name: str | None = None


class SearchRuns(msgspec.Struct):
    """runs/search."""

    experiment_ids: list[str] = []
    filter: str = ""
    run_view_type: Enumeration | None = None
    max_results: int = 1000
    order_by: list[str] = []
    page_token: str | None = None


class LogMetric(msgspec.Struct):
    """runs/log-metric."""

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

    run_id: str | None = None
    run_uuid: str | None = None
    key: str | None = None
    value: str = ""


class DeleteTag(msgspec.Struct):
    """runs/delete-tag."""

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

    run_id: str | None = None
    datasets: list[DatasetInput] = []
    models: list[Model] = []


class LogOutputs(msgspec.Struct):
    """runs/outputs."""

    run_id: str | None = None
    models: list[Model] | None = None


class LogModel(msgspec.Struct):
    """runs/log-model, of clients from before logged models."""

    run_id: str | None = None
    model_json: str | None = None


class MetricHistory(msgspec.Struct):
    """metrics/get-history."""

    run_id: str | None = None
    run_uuid: str | None = None
    metric_key: str | None = None
    page_token: str | None = None
    max_results: int | None = None


class MetricHistoryBulk(msgspec.Struct):
    """metrics/get-history-bulk."""

    run_id: list[str] = []
    metric_key: str | None = None
    max_results: int = 25_000


class MetricHistoryInterval(msgspec.Struct):
    """metrics/get-history-bulk-interval."""

    run_ids: list[str] = []
    metric_key: str | None = None
    start_step: int | None = None
    end_step: int | None = None
    max_results: int = 2_500


class Nothing(msgspec.Struct):
    """A request without fields."""
