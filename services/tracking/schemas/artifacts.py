"""Bodies of requests and answers about artifacts, in MLflow's names."""

from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from libs.common.http.checks import REQUIRED, TEXT, Schema


class Listing(msgspec.Struct):
    """GET mlflow-artifacts/artifacts."""

    SCHEMA: ClassVar[Schema] = {}

    path: str = ""


class RunListing(msgspec.Struct):
    """GET artifacts/list; `run_uuid` is the name of old clients."""

    SCHEMA: ClassVar[Schema] = {"run_id": (TEXT, REQUIRED), "path": (TEXT,), "page_token": (TEXT,)}

    run_id: str | None = None
    run_uuid: str | None = None
    path: str = ""
    page_token: str = ""


class RunFile(msgspec.Struct):
    """GET /get-artifact."""

    run_id: str | None = None
    run_uuid: str | None = None
    path: str | None = None


class File(msgspec.Struct, frozen=True):
    """A file or a folder; a folder has no size."""

    path: str
    is_dir: bool
    file_size: int | UnsetType = UNSET


class ListAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What lies in a folder; `root_uri` where paths are relative to it."""

    root_uri: str | UnsetType = UNSET
    files: list[File] = []
