"""Runs and experiments as the GraphQL of MLflow's web pages has them.

Every object carries `__typename`, by which the pages keep it; 64-bit integers are texts, and
not-a-number is null, as MLflow answers them.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from services.tracking.schemas import answers

Object = dict[str, Any]


class Answer(msgspec.Struct, frozen=True):
    """What a query is answered; `errors` are bare texts, as MLflow's server sends them."""

    data: Object | None = None
    errors: list[str] | None = None


class Version(msgspec.Struct, frozen=True):
    """A version that was registered from a run, as the registry shows it."""

    name: str = ""
    version: str = ""
    source: str = ""
    status: str = ""


class _Dataset(msgspec.Struct, frozen=True):
    name: str = ""
    digest: str = ""
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""


class _DatasetInput(msgspec.Struct, frozen=True):
    dataset: _Dataset
    tags: list[answers.Pair] = []


def response(kind: str, **fields: object) -> Object:
    """The answer of an operation that went well."""
    return {"__typename": kind, "apiError": None, **fields}


def experiment(found: answers.Experiment) -> Object:
    """An experiment."""
    return {
        "__typename": "MlflowExperiment",
        "artifactLocation": found.artifact_location,
        "creationTime": str(found.creation_time),
        "effectiveTraceArchivalRetention": "",
        "experimentId": found.experiment_id,
        "lastUpdateTime": str(found.last_update_time),
        "lifecycleStage": found.lifecycle_stage,
        "name": found.name,
        "tags": _pairs("MlflowExperimentTag", found.tags),
    }


def run(
    found: answers.Run, of: answers.Experiment | None, versions: Sequence[Version] | None
) -> Object:
    """A whole run; its experiment and versions are null where they are not shown."""
    return {
        "__typename": "MlflowRunExtension",
        "info": _info(found.info),
        "experiment": None if of is None else experiment(of),
        "modelVersions": None if versions is None else [_version(each) for each in versions],
        "data": {
            "__typename": "MlflowRunData",
            "metrics": [_metric(each) for each in found.data.metrics],
            "params": _pairs("MlflowParam", found.data.params),
            "tags": _pairs("MlflowRunTag", found.data.tags),
        },
        "inputs": {
            "__typename": "MlflowRunInputs",
            "datasetInputs": _datasets(found.inputs.dataset_inputs),
            "modelInputs": [
                {"__typename": "MlflowModelInput", "modelId": each.model_id}
                for each in found.inputs.model_inputs
            ],
        },
        "outputs": {
            "__typename": "MlflowRunOutputs",
            "modelOutputs": [
                {
                    "__typename": "MlflowModelOutput",
                    "modelId": each.model_id,
                    "step": str(each.step),
                }
                for each in (found.outputs.model_outputs if found.outputs is not UNSET else ())
            ],
        },
    }


def _info(info: answers.RunInfo) -> Object:
    return {
        "__typename": "MlflowRunInfo",
        "artifactUri": info.artifact_uri,
        "endTime": "0" if info.end_time is UNSET else str(info.end_time),
        "experimentId": info.experiment_id,
        "lifecycleStage": info.lifecycle_stage,
        "runName": info.run_name,
        "runUuid": info.run_uuid,
        "startTime": str(info.start_time),
        "status": info.status,
        "userId": info.user_id,
    }


def _version(version: Version) -> Object:
    return {"__typename": "MlflowModelVersion", **msgspec.structs.asdict(version)}


def _metric(metric: answers.Metric) -> Object:
    return {
        "__typename": "MlflowMetricExtension",
        "key": metric.key,
        "step": str(metric.step),
        "timestamp": str(metric.timestamp),
        "value": None if metric.value == "NaN" else metric.value,
    }


def _pairs(kind: str, pairs: Iterable[answers.Pair]) -> list[Object]:
    return [{"__typename": kind, "key": pair.key, "value": pair.value} for pair in pairs]


def _datasets(raw: Raw | msgspec.UnsetType) -> list[Object]:
    if raw is UNSET:
        return []
    found = msgspec.json.decode(raw, type=list[_DatasetInput])
    return [
        {
            "__typename": "MlflowDatasetInput",
            "dataset": {
                "__typename": "MlflowDataset",
                "name": each.dataset.name,
                "digest": each.dataset.digest,
                "sourceType": each.dataset.source_type,
                "source": each.dataset.source,
                "schema": each.dataset.schema,
                "profile": each.dataset.profile,
            },
            "tags": _pairs("MlflowInputTag", each.tags),
        }
        for each in found
    ]
