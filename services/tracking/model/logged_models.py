"""Logged models: their ids, states, limits, and the tag that names their registered versions."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from libs.common.errors import Refusal, invalid, missing
from services.tracking.model.limits import check_length
from services.tracking.model.metrics import no_model

PENDING: Final = 1
STATUSES: Final = ("UNSPECIFIED", "PENDING", "READY", "FAILED")
WIRE_STATUSES: Final = (
    "LOGGED_MODEL_STATUS_UNSPECIFIED",
    "LOGGED_MODEL_PENDING",
    "LOGGED_MODEL_READY",
    "LOGGED_MODEL_UPLOAD_FAILED",
)
VERSIONS_TAG: Final = "mlflow.modelVersions"
NAME_LENGTH: Final = 500
TYPE_LENGTH: Final = 500
SOURCE_RUN_LENGTH: Final = 250
KEY_LENGTH: Final = 255
VALUE_LENGTH: Final = 100_000
PAIRS_A_REQUEST: Final = 10_000
_BAD_IN_NAMES: Final = ("/", ":", ".", "%", '"', "'")
_MODEL_ID: Final = re.compile(r"m-[0-9a-f]{32}")

VersionKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class NewModel:
    """What a request says of a logged model that is to be made; '' for a name to be made up."""

    experiment_id: int
    name: str
    model_type: str
    source_run_id: str


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A logged model without its params and tags; times are the database's milliseconds.

    `status` is MLflow's number, a place in STATUSES.
    """

    model_id: str
    workspace_id: int
    experiment_id: int
    version: int
    name: str
    artifact_uri: str
    status: int
    lifecycle_stage: str
    model_type: str
    source_run_id: str
    creation_time: int
    last_update_time: int

    def made(self, at: int) -> "LoggedModel":
        """The model, made at a time of the database."""
        return replace(self, creation_time=at, last_update_time=at)

    def finalized(self, status: int) -> "LoggedModel":
        """The model in another status; also one that was deleted, as in MLflow."""
        return replace(self, version=self.version + 1, status=status)

    def put_aside(self) -> "LoggedModel":
        """The model as a deleted one."""
        return replace(self, version=self.version + 1, lifecycle_stage="deleted")

    def changed(self) -> "LoggedModel":
        """The model after a change of its tags or params."""
        return replace(self, version=self.version + 1)


def model_uuid(model_id: str) -> UUID:
    """The id as it is stored; refuses what is none exactly as an id that nobody has."""
    found = known_uuid(model_id)
    if found is None:
        raise no_model(model_id)
    return found


def known_uuid(model_id: str) -> UUID | None:
    """The id as it is stored, None where no logged model could have it."""
    return UUID(model_id[2:]) if _MODEL_ID.fullmatch(model_id) else None


def model_id_of(stored: UUID) -> str:
    """The id as clients know it."""
    return f"m-{stored.hex}"


def artifact_uri(experiment_id: int, model_id: str) -> str:
    """Where a logged model's artifacts are asked for."""
    return f"mlflow-artifacts:/{experiment_id}/models/{model_id}/artifacts"


def check_name(name: str) -> None:
    """Refuse a name that MLflow refuses; the empty one asks for a name to be made up."""
    if any(bad in name for bad in _BAD_IN_NAMES):
        raise invalid(
            f"Invalid model name ({name!r}) provided. Model name must be a non-empty string and"
            f" cannot contain the following characters: {_BAD_IN_NAMES}"
        )
    check_length("name", NAME_LENGTH, name)


def check_origin(model_type: str, source_run_id: str) -> None:
    """Refuse a type or a run id that is too long."""
    check_length("model_type", TYPE_LENGTH, model_type)
    check_length("source_run_id", SOURCE_RUN_LENGTH, source_run_id)


def params_of(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Params as they are stored; refuses one that is given twice with different values."""
    _check_pairs("param", pairs)
    found: dict[str, str] = {}
    for key, value in pairs:
        if found.setdefault(key, value) != value:
            raise param_changed(key, found[key], value)
    return found


def tags_of(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Tags as they are stored; of one that is given twice the last counts."""
    _check_pairs("tag", pairs)
    return dict(pairs)


def param_changed(key: str, old: str, new: str) -> Refusal:
    """A param keeps its first value."""
    return invalid(
        f"Changing param values is not allowed. Param with key='{key}' was already logged with"
        f" value='{old[:200]}'. Attempted logging new value '{new[:200]}'."
    )


def no_tag(model_id: str, key: str) -> Refusal:
    """No such tag on the model."""
    return missing(f"No tag with key {key!r} found for model with ID {model_id!r}.")


def versions_tag(value: str, known: Mapping[VersionKey, bool]) -> str:
    """The tag that names a model's registered versions, brought in line with what is known.

    `known` says of each version that the registry told of whether it stands; what stands is
    added at the end, what is gone is taken out. The stock client writes version numbers as texts
    and the server as integers, so they are compared as texts, and an entry that is there twice
    stays once. A value that is no list of entries is somebody else's, and is kept.
    """
    entries = _entries(value)
    if entries is None:
        return value
    gone = {(name, str(number)) for (name, number), stands in known.items() if not stands}
    seen: set[tuple[str, str]] = set()
    kept: list[dict[str, Any]] = []
    for entry in entries:
        key = (entry["name"], str(entry["version"]))
        if key not in gone and key not in seen:
            seen.add(key)
            kept.append(entry)
    kept += [
        {"name": name, "version": number}
        for (name, number), stands in known.items()
        if stands and (name, str(number)) not in seen
    ]
    return json.dumps(kept) if kept != entries else value


def is_empty_versions_tag(value: str) -> bool:
    """Whether the tag names no version at all."""
    return _entries(value) == []


def _entries(value: str) -> list[dict[str, Any]] | None:
    try:
        found = json.loads(value or "[]")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and _all_entries(found) else None


def _all_entries(found: Iterable[Any]) -> bool:
    return all(
        isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and isinstance(entry.get("version"), str | int)
        for entry in found
    )


def _check_pairs(what: str, pairs: Sequence[tuple[str, str]]) -> None:
    if len(pairs) > PAIRS_A_REQUEST:
        raise invalid(f"A request can carry at most {PAIRS_A_REQUEST} {what}s. Got {len(pairs)}.")
    for key, value in pairs:
        check_length(f"{what} key", KEY_LENGTH, key)
        check_length(f"{what} value", VALUE_LENGTH, value)
