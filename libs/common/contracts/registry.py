"""Facts of the registry: registered models and their versions."""

from typing import Final

import msgspec

from libs.common.contracts.topic import Topic


class RegisteredModel(msgspec.Struct, frozen=True, kw_only=True):
    """A registered model as it stands: description, tags, and alias → version number.

    `owner` is the subject that may do everything with it, empty where nobody owns it.
    """

    name: str
    workspace_id: int
    description: str = ""
    tags: dict[str, str] = {}
    aliases: dict[str, str] = {}
    owner: str = ""


class RegisteredModelCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A name was registered."""

    version: int
    model: RegisteredModel


class RegisteredModelChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A registered model's description, tags, aliases or owner changed."""

    version: int
    model: RegisteredModel


class RegisteredModelRenamed(msgspec.Struct, frozen=True, kw_only=True):
    """A registered model has a new name; its versions' keys change with it.

    `former_workspace_id` is set where it moved from another workspace, with or without its name.
    """

    version: int
    model: RegisteredModel
    former_name: str
    former_workspace_id: int | None = None


class RegisteredModelDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """A registered model and all its versions are gone."""

    version: int
    model: RegisteredModel


class RegisteredModelSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A registered model as it stands, told again on request."""

    version: int
    model: RegisteredModel


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A model version as it stands; `number` is what MLflow calls its version."""

    name: str
    number: int
    workspace_id: int
    stage: str
    status: str
    source: str
    run_id: str = ""
    model_id: str = ""
    description: str = ""
    tags: dict[str, str] = {}


class ModelVersionCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A version was registered."""

    version: int
    model_version: ModelVersion


class ModelVersionChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A version's description, tags or name changed."""

    version: int
    model_version: ModelVersion


class ModelVersionTransitioned(msgspec.Struct, frozen=True, kw_only=True):
    """A version moved from one stage to another."""

    version: int
    model_version: ModelVersion
    former_stage: str


class ModelVersionDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """A version is gone, or goes by another name."""

    version: int
    model_version: ModelVersion


class ModelVersionSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A version as it stands, told again on request."""

    version: int
    model_version: ModelVersion


class SourceReleased(msgspec.Struct, frozen=True, kw_only=True):
    """No version needs a condemned run or logged model, and none will be made of it.

    `version` is that of its condemnation: one that was brought back since is not released.
    """

    version: int
    source: str


class SourceKept(msgspec.Struct, frozen=True, kw_only=True):
    """A version needs a condemned run or logged model; `version` is that of its condemnation."""

    version: int
    source: str


class WorkspaceCleared(msgspec.Struct, frozen=True, kw_only=True):
    """A deleted workspace's registered models have moved to the default one, or are put away."""

    version: int
    workspace_id: int


def _workspace_key(fact: WorkspaceCleared) -> str:
    return str(fact.workspace_id)


def _source_key(fact: SourceReleased) -> str:
    return fact.source


def _model_key(fact: RegisteredModelCreated) -> str:
    return fact.model.name


def _version_key(fact: ModelVersionCreated) -> str:
    return fact.model_version.name


REGISTERED_MODELS: Final = Topic(
    "registry.registered-model.v1",
    {
        "created": RegisteredModelCreated,
        "changed": RegisteredModelChanged,
        "renamed": RegisteredModelRenamed,
        "deleted": RegisteredModelDeleted,
        "snapshot": RegisteredModelSnapshot,
    },
    _model_key,
)
MODEL_VERSIONS: Final = Topic(
    "registry.model-version.v1",
    {
        "created": ModelVersionCreated,
        "changed": ModelVersionChanged,
        "transitioned": ModelVersionTransitioned,
        "deleted": ModelVersionDeleted,
        "snapshot": ModelVersionSnapshot,
    },
    _version_key,
)
WORKSPACES: Final = Topic("registry.workspace.v1", {"cleared": WorkspaceCleared}, _workspace_key)
SOURCES: Final = Topic(
    "registry.source.v1", {"released": SourceReleased, "kept": SourceKept}, _source_key
)
