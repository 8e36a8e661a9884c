"""Datasets that runs use."""

from dataclasses import dataclass, field
from typing import Final

from services.tracking.model.limits import check_length

_LENGTHS: Final = {
    "name": 500,
    "digest": 36,
    "source": 65_535,
    "schema": 1_048_575,
    "profile": 16_777_215,
}
_TAG_KEY_LENGTH: Final = 255
_TAG_VALUE_LENGTH: Final = 500


@dataclass(frozen=True, slots=True)
class DatasetUse:
    """A dataset, known in its experiment by name and digest, and what a run says of it."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str
    profile: str
    tags: dict[str, str] = field(default_factory=dict)


def check_dataset(use: DatasetUse) -> None:
    """Refuse what is longer than MLflow takes."""
    for name, limit in _LENGTHS.items():
        check_length(name, limit, getattr(use, name))
    for key, value in use.tags.items():
        check_length("key", _TAG_KEY_LENGTH, key)
        check_length("value", _TAG_VALUE_LENGTH, value)


def first_of_each(uses: list[DatasetUse]) -> list[DatasetUse]:
    """Of uses with the same name and digest the first one, as MLflow keeps it."""
    found: dict[tuple[str, str], DatasetUse] = {}
    for use in uses:
        found.setdefault((use.name, use.digest), use)
    return list(found.values())
