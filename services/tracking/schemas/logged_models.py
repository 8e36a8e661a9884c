"""Bodies of requests and answers of logged models, in MLflow's names."""

from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from libs.common.http.checks import INTEGER, LIST, REQUIRED, TEXT, TEXTS, Schema
from libs.common.http.reading import Choice
from services.tracking.schemas.answers import Pair
from services.tracking.schemas.requests import Pair as GivenPair


class Status(Choice):
    """The states of a logged model."""

    LOGGED_MODEL_STATUS_UNSPECIFIED = "LOGGED_MODEL_STATUS_UNSPECIFIED"
    LOGGED_MODEL_PENDING = "LOGGED_MODEL_PENDING"
    LOGGED_MODEL_READY = "LOGGED_MODEL_READY"
    LOGGED_MODEL_UPLOAD_FAILED = "LOGGED_MODEL_UPLOAD_FAILED"

    @classmethod
    def first(cls) -> int:
        """The number of the first one."""
        return 0


class CreateLoggedModel(msgspec.Struct):
    """POST logged-models."""

    SCHEMA: ClassVar[Schema] = {
        "experiment_id": (TEXT, REQUIRED),
        "name": (TEXT,),
        "model_type": (TEXT,),
        "source_run_id": (TEXT,),
        "params": (LIST,),
        "tags": (LIST,),
    }

    experiment_id: str | None = None
    name: str = ""
    model_type: str = ""
    source_run_id: str = ""
    params: list[GivenPair] = []
    tags: list[GivenPair] = []


class GetLoggedModel(msgspec.Struct):
    """GET logged-models/{model_id}; everything but `true` is false."""

    allow_deleted: str = ""


class FinalizeLoggedModel(msgspec.Struct):
    """PATCH logged-models/{model_id}."""

    SCHEMA: ClassVar[Schema] = {"model_id": (TEXT, REQUIRED), "status": (INTEGER, REQUIRED)}

    model_id: str | None = None
    status: Status | None = None


class SetTags(msgspec.Struct):
    """PATCH logged-models/{model_id}/tags."""

    SCHEMA: ClassVar[Schema] = {"tags": (LIST,)}

    tags: list[GivenPair] = []


class LogParams(msgspec.Struct):
    """POST logged-models/{model_id}/params."""

    SCHEMA: ClassVar[Schema] = {"model_id": (TEXT, REQUIRED), "params": (LIST,)}

    model_id: str | None = None
    params: list[GivenPair] = []


class Dataset(msgspec.Struct):
    """A dataset that points of a metric were measured on; without a digest any of that name."""

    dataset_name: str = ""
    dataset_digest: str = ""


class OrderBy(msgspec.Struct):
    """One order of a search; a dataset narrows which points of a metric count."""

    field_name: str = ""
    ascending: bool = True
    dataset_name: str = ""
    dataset_digest: str = ""


class SearchLoggedModels(msgspec.Struct):
    """POST logged-models/search."""

    SCHEMA: ClassVar[Schema] = {
        "experiment_ids": (LIST, TEXTS, REQUIRED),
        "filter": (TEXT,),
        "datasets": (LIST,),
        "max_results": (INTEGER,),
        "order_by": (LIST,),
        "page_token": (TEXT,),
    }

    experiment_ids: list[str] | None = None
    filter: str = ""
    datasets: list[Dataset] = []
    max_results: int = 0
    order_by: list[OrderBy] = []
    page_token: str = ""


class Folder(msgspec.Struct):
    """GET logged-models/{model_id}/artifacts/directories."""

    SCHEMA: ClassVar[Schema] = {"artifact_directory_path": (TEXT,)}

    artifact_directory_path: str = ""


class File(msgspec.Struct):
    """GET logged-models/{model_id}/artifacts/files."""

    artifact_file_path: str = ""


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A point that was measured on the model; not-a-number travels as the text "NaN"."""

    key: str
    value: float | str
    timestamp: int
    step: int
    dataset_name: str | UnsetType = UNSET
    dataset_digest: str | UnsetType = UNSET
    model_id: str
    run_id: str


class Info(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A logged model without params and metrics; times are milliseconds since 1970."""

    model_id: str
    experiment_id: str
    name: str
    creation_timestamp_ms: int
    last_updated_timestamp_ms: int
    artifact_uri: str
    status: str
    model_type: str
    source_run_id: str
    tags: list[Pair] = []


class Data(msgspec.Struct, frozen=True, omit_defaults=True):
    """Params and metrics."""

    params: list[Pair] = []
    metrics: list[Metric] = []


class LoggedModel(msgspec.Struct, frozen=True):
    """A whole logged model; `data` is there even when it is empty."""

    info: Info
    data: Data


class LoggedModelAnswer(msgspec.Struct, frozen=True):
    """logged-models create, get and finalize."""

    model: LoggedModel


class LoggedModelsAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """logged-models/search."""

    models: list[LoggedModel] = []
    next_page_token: str | None = None
