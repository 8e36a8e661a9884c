"""HTTP bodies of the registry: MLflow's request messages, field by field (None is unset), our own."""

import msgspec
from pydantic import BaseModel, ConfigDict, Field


class Tag(msgspec.Struct):
    """A tag; MLflow's reader makes unset parts empty."""

    key: str = ""
    value: str = ""


class CreateRegisteredModel(msgspec.Struct):
    """registered-models/create."""

    name: str = ""
    tags: list[Tag] = []
    description: str | None = None


class NamedModel(msgspec.Struct):
    """registered-models/get and delete."""

    name: str = ""


class RenameRegisteredModel(msgspec.Struct):
    """registered-models/rename."""

    name: str = ""
    new_name: str = ""


class UpdateRegisteredModel(msgspec.Struct):
    """registered-models/update."""

    name: str = ""
    description: str = ""


class SearchRegisteredModels(msgspec.Struct):
    """registered-models/search."""

    filter: str = ""
    max_results: int = 100
    order_by: list[str] = []
    page_token: str = ""


class GetLatestVersions(msgspec.Struct):
    """registered-models/get-latest-versions."""

    name: str = ""
    stages: list[str] = []


class ModelTag(msgspec.Struct):
    """registered-models/set-tag and delete-tag."""

    name: str = ""
    key: str = ""
    value: str = ""


class ModelAlias(msgspec.Struct):
    """registered-models/alias."""

    name: str = ""
    alias: str = ""
    version: str = ""


class CreateModelVersion(msgspec.Struct):
    """model-versions/create; unset ids are told from empty ones, as a copy's are."""

    name: str = ""
    source: str = ""
    run_id: str | None = None
    tags: list[Tag] = []
    run_link: str = ""
    description: str = ""
    model_id: str | None = None


class NamedVersion(msgspec.Struct):
    """model-versions/get, delete and get-download-uri."""

    name: str = ""
    version: str = ""


class UpdateModelVersion(msgspec.Struct):
    """model-versions/update."""

    name: str = ""
    version: str = ""
    description: str | None = None


class TransitionStage(msgspec.Struct):
    """model-versions/transition-stage."""

    name: str = ""
    version: str = ""
    stage: str = ""
    archive_existing_versions: bool = False


class VersionTag(msgspec.Struct):
    """model-versions/set-tag and delete-tag."""

    name: str = ""
    version: str = ""
    key: str = ""
    value: str = ""


class SearchModelVersions(msgspec.Struct):
    """model-versions/search."""

    filter: str = ""
    max_results: int = 200_000
    order_by: list[str] = []
    page_token: str = ""


class VersionFile(msgspec.Struct):
    """model-versions/get-artifact."""

    name: str = ""
    version: str = ""
    path: str = ""


class OwnerBody(BaseModel):
    """Who owns a registered model and may do everything with it."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(
        pattern=r"^((user|service):[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$",
        description="A member, as `user:<id>` or `service:<id>`; empty where nobody owns it.",
        examples=["user:0190b5a2-7c1e-7a44-9a53-0c6a4e3a1f55"],
    )
