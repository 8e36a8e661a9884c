"""What clients send of experiments."""

from typing import ClassVar

import msgspec

from libs.common.http.checks import INTEGER, LIST, REQUIRED, TEXT, Schema
from services.tracking.schemas.requests.parts import Pair, View


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
