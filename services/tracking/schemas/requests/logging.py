"""What clients send to log into runs."""

from typing import ClassVar

import msgspec

from libs.common.http.checks import (
    INTEGER,
    LIST,
    NUMBER,
    REQUIRED,
    TEXT,
    Schema,
    each_with,
)
from services.tracking.schemas.requests.parts import Pair


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
