"""What clients get of experiments and runs; what is empty or unset is left out, as MLflow does.

A page of runs holds thousands of pairs and points. They hold no containers, so that the garbage
collector need not look at them (`gc=False`), which takes a third off a search.
"""

from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

NOTHING: Final = b"{}"


class Pair(msgspec.Struct, frozen=True, gc=False):
    """A tag or a param."""

    key: str
    value: str


class Metric(msgspec.Struct, frozen=True, gc=False):
    """A point; not-a-number travels as the text "NaN"."""

    key: str
    value: float | str
    timestamp: int
    step: int


class MetricOfRun(msgspec.Struct, frozen=True, gc=False):
    """A point and the run it belongs to."""

    key: str
    value: float | str
    timestamp: int
    step: int
    run_id: str


class Model(msgspec.Struct, frozen=True, gc=False):
    """A logged model that a run used."""

    model_id: str


class MadeModel(msgspec.Struct, frozen=True, gc=False):
    """A logged model that a run made, and at which step."""

    model_id: str
    step: int


class RunInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run without what was logged into it."""

    run_uuid: str
    experiment_id: str
    run_name: str
    user_id: str
    status: str
    start_time: int
    end_time: int | UnsetType = UNSET
    artifact_uri: str
    lifecycle_stage: str
    run_id: str


class RunData(msgspec.Struct, frozen=True, omit_defaults=True):
    """Latest metrics, params and tags."""

    metrics: list[Metric] = []
    params: list[Pair] = []
    tags: list[Pair] = []


class RunInputs(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run used; the datasets are JSON as the database made it."""

    dataset_inputs: Raw | UnsetType = UNSET
    model_inputs: list[Model] = []


class RunOutputs(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a run made."""

    model_outputs: list[MadeModel] = []


class Run(msgspec.Struct, frozen=True, omit_defaults=True):
    """A whole run."""

    info: RunInfo
    data: RunData
    inputs: RunInputs
    outputs: RunOutputs | UnsetType = UNSET


class RunAnswer(msgspec.Struct, frozen=True):
    """runs/create and runs/get."""

    run: Run


class RunInfoAnswer(msgspec.Struct, frozen=True):
    """runs/update."""

    run_info: RunInfo


class RunsAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """runs/search; each run is a `Run` that is encoded already."""

    runs: list[Raw] = []
    next_page_token: str | None = None


class Experiment(msgspec.Struct, frozen=True, omit_defaults=True):
    """An experiment; times are milliseconds since 1970."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    last_update_time: int
    creation_time: int
    tags: list[Pair] = []
    workspace: str | UnsetType = UNSET


class ExperimentAnswer(msgspec.Struct, frozen=True):
    """experiments/get and get-by-name."""

    experiment: Experiment


class ExperimentsAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """experiments/search."""

    experiments: list[Experiment] = []
    next_page_token: str | None = None


class CreatedExperiment(msgspec.Struct, frozen=True):
    """experiments/create."""

    experiment_id: str


class DatasetSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """A dataset that runs of an experiment used; `context` says what for."""

    experiment_id: str
    name: str
    digest: str
    context: str | None = None


class DatasetsAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """experiments/search-datasets."""

    dataset_summaries: list[DatasetSummary] = []


class MetricsAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """metrics/get-history."""

    metrics: list[Metric] = []
    next_page_token: str | None = None


class BulkMetricsAnswer(msgspec.Struct, frozen=True):
    """metrics/get-history-bulk: a list even when it is empty."""

    metrics: list[MetricOfRun]


class IntervalMetricsAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """metrics/get-history-bulk-interval."""

    metrics: list[MetricOfRun] = []
