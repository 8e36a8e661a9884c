"""Facts of logged models."""

from typing import Final

import msgspec

from libs.common.contracts.topic import Topic


class LoggedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model as it stands; `model_id` is `m-` and 32 hex digits."""

    model_id: str
    workspace_id: int
    experiment_id: str
    name: str
    artifact_uri: str
    status: str
    model_type: str = ""
    source_run_id: str = ""
    lifecycle_stage: str = "active"


class LoggedModelCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A model was logged; it may still be pending."""

    version: int
    model: LoggedModel


class LoggedModelChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model's status or tags changed."""

    version: int
    model: LoggedModel
    tags: dict[str, str] = {}


class LoggedModelDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model was deleted."""

    version: int
    model: LoggedModel


class LoggedModelCondemned(msgspec.Struct, frozen=True, kw_only=True):
    """A deleted model is past its time, or its experiment is: it is removed when the registry says that it may be.

    `runs` are those that made it: what is registered as `runs:/<run>/<name>` may lie in it.
    """

    version: int
    model: LoggedModel
    runs: list[str] = []


class LoggedModelRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model is gone for good, with its artifacts."""

    version: int
    model: LoggedModel


class LoggedModelSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model as it stands, told again on request."""

    version: int
    model: LoggedModel


def _model_key(fact: LoggedModelCreated) -> str:
    return fact.model.model_id


LOGGED_MODELS: Final = Topic(
    "tracking.logged-model.v1",
    {
        "created": LoggedModelCreated,
        "changed": LoggedModelChanged,
        "deleted": LoggedModelDeleted,
        "condemned": LoggedModelCondemned,
        "removed": LoggedModelRemoved,
        "snapshot": LoggedModelSnapshot,
    },
    _model_key,
)
