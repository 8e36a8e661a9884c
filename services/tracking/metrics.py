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
REMOVED: Final = Counter(
    "maestro_tracking_removed_total",
    "Runs, logged models and experiments that the collector removed for good.",
    ("kind",),
)
REMOVED_POINTS: Final = Counter(
    "maestro_tracking_removed_points_total", "Metric points that the collector removed."
)
REMOVED_BYTES: Final = Counter(
    "maestro_tracking_removed_artifact_bytes_total",
    "Bytes that the artifacts of what the collector removed held.",
)
PACKED: Final = Counter(
    "maestro_tracking_packings_total",
    "Transactions in which points of a run's metric were packed.",
)
