"""Archived points: the file of a run, and the metrics that lie in it."""

from dataclasses import dataclass
from typing import NamedTuple


class ArchivedMetric(NamedTuple):
    """Which bytes of a file hold a metric, their checksum, and how many points come back from it."""

    key_no: int
    first_byte: int
    end_byte: int
    sha256: bytes
    points: int


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A run's points in the object store."""

    object_key: str
    size: int
    sha256: bytes
    footer_at: int
    footer_sha256: bytes
    metrics: list[ArchivedMetric]


@dataclass(frozen=True, slots=True)
class Frozen:
    """A metric whose points lie in a file alone."""

    run_no: int
    key: str
    object_key: str
    size: int
    footer_at: int
    footer_sha256: bytes
    metric: ArchivedMetric
