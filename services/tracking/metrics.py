"""Prometheus metrics of tracking beyond those of every service."""

from typing import Final

from prometheus_client import Counter

FREED_OBJECTS: Final = Counter(
    "maestro_artifact_objects_freed_total",
    "Objects that the sweep removed from the artifact store.",
)
FREED_BYTES: Final = Counter(
    "maestro_artifact_bytes_freed_total",
    "Bytes of contents that the sweep removed from the artifact store.",
)
