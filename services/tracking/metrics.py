"""Prometheus metrics of tracking beyond those of every service."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

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
_RUNS_FOUND: Final = Counter(
    "maestro_tracking_runs_found_total",
    "Runs that were shown, by where they were found: memory, redis, database (and kept), or unkept"
    " (read from the database while nothing in Redis is believed).",
    ("source",),
)
# Resolved once: finding a label's child costs more than counting.
RUNS_FOUND: Final = {
    source: _RUNS_FOUND.labels(source) for source in ("memory", "redis", "database", "unkept")
}
LISTENERS: Final = Gauge("maestro_live_listeners", "Streams of live events that are open here.")
LISTENERS_ENDED: Final = Counter(
    "maestro_live_listeners_ended_total",
    "Streams of live events that ended, by reason: left, slow, refused, removed, lost, time, ending.",
    ("reason",),
)
LIVE_DELAY: Final = Histogram(
    "maestro_live_delay_seconds",
    "Seconds from a fact's record to its being heard for those who listen.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 5),
)
INGESTED_POINTS: Final = Counter(
    "maestro_tracking_ingested_points_total", "Metric points that came by event and are committed."
)
ARCHIVED_RUNS: Final = Counter(
    "maestro_tracking_archived_runs_total", "Runs whose points were archived."
)
ARCHIVED_POINTS: Final = Counter(
    "maestro_tracking_archived_points_total", "Metric points that left the tables for a file."
)
ARCHIVED_BYTES: Final = Counter(
    "maestro_tracking_archived_bytes_total",
    "Bytes of the files that archived points were put into.",
)
THAWED_POINTS: Final = Counter(
    "maestro_tracking_thawed_points_total", "Archived points that a read brought back."
)
PACKED: Final = Counter(
    "maestro_tracking_packings_total",
    "Transactions in which points of a run's metric were packed.",
)
