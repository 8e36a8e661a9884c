"""What clients send of experiments and runs; a field that is unset is None or empty.

`SCHEMA` is what MLflow checks of each, in its order.
"""

from services.tracking.schemas.requests.experiments import (
    CreateExperiment,
    ExperimentId,
    ExperimentName,
    ExperimentTag,
    ExperimentTagKey,
    SearchDatasets,
    SearchExperiments,
    UpdateExperiment,
)
from services.tracking.schemas.requests.logging import (
    Dataset,
    DatasetInput,
    DeleteTag,
    LogBatch,
    LogInputs,
    LogMetric,
    LogModel,
    LogOutputs,
    Metric,
    Model,
    RunPair,
)
from services.tracking.schemas.requests.metrics import (
    MetricHistory,
    MetricHistoryBulk,
    MetricHistoryInterval,
)
from services.tracking.schemas.requests.parts import Pair, View
from services.tracking.schemas.requests.runs import CreateRun, RunId, SearchRuns, Status, UpdateRun

__all__ = [
    "CreateExperiment",
    "CreateRun",
    "Dataset",
    "DatasetInput",
    "DeleteTag",
    "ExperimentId",
    "ExperimentName",
    "ExperimentTag",
    "ExperimentTagKey",
    "LogBatch",
    "LogInputs",
    "LogMetric",
    "LogModel",
    "LogOutputs",
    "Metric",
    "MetricHistory",
    "MetricHistoryBulk",
    "MetricHistoryInterval",
    "Model",
    "Pair",
    "RunId",
    "RunPair",
    "SearchDatasets",
    "SearchExperiments",
    "SearchRuns",
    "Status",
    "UpdateExperiment",
    "UpdateRun",
    "View",
]
