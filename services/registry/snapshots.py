"""How registered models and their versions are told again on request."""

from typing import Any, Final

import msgspec
from asyncpg import Record

from libs.common.contracts.registry import (
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    ModelVersionSnapshot,
    RegisteredModelSnapshot,
)
from libs.common.service import Snapshot
from services.registry.commands.facts import model_state, version_state
from services.registry.model.entries import Model, Version
from services.registry.queries import snapshots


def _model(row: Record) -> RegisteredModelSnapshot:
    model = Model(**_fields(row))
    return RegisteredModelSnapshot(version=model.version, model=model_state(model))


def _version(row: Record) -> ModelVersionSnapshot:
    version = Version(**_fields(row))
    return ModelVersionSnapshot(version=version.version, model_version=version_state(version))


def _fields(row: Record) -> dict[str, Any]:
    fields = dict(row)
    del fields["id"]
    for belongings in ("tags", "aliases"):
        if belongings in fields:
            fields[belongings] = msgspec.json.decode(fields[belongings] or "{}")
    return fields


SNAPSHOTS: Final = (
    Snapshot(REGISTERED_MODELS, snapshots.REGISTERED_MODELS, _model),
    Snapshot(MODEL_VERSIONS, snapshots.MODEL_VERSIONS, _version),
)
