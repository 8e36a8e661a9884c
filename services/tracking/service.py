"""tracking on one page: what it serves, tells, hears and owns."""

from pathlib import Path
from typing import Final

from libs.common.access.hearing import ACCESS_CHANGES
from libs.common.contracts.tracking import EXPERIMENTS, LOGGED_MODELS, RUN_METRICS, RUNS, WORKSPACES
from libs.common.leaving import TABLE, WHY_PLATFORM, WORKSPACES_LEAVE
from libs.common.service import Service
from libs.common.tenants import KNOWN_TENANTS
from services.tracking.api import api
from services.tracking.cache import outdate
from services.tracking.consumers import (
    EXPERIMENT_CHANGES,
    INGESTION,
    LIVE,
    MODEL_VERSIONS,
    PLANS,
    REVOCATIONS,
    SOURCES,
)
from services.tracking.queries.snapshots import (
    EXPERIMENT_SNAPSHOT,
    LOGGED_MODEL_SNAPSHOT,
    RUN_SNAPSHOT,
)
from services.tracking.settings import Settings
from services.tracking.state import open_state
from services.tracking.workers import (
    archive_points,
    clear_workspaces,
    collect_garbage,
    hand_out_events,
    pack_points,
    sweep_contents,
    tend_listeners,
)

_TENANT_TABLES: Final = (
    *("experiment_counters", "experiments", "experiment_tags", "runs", "params", "run_tags"),
    *("metric_keys", "metric_contexts", "metric_points", "metric_segments", "latest_metrics"),
    *("datasets", "inputs", "input_tags", "run_models"),
    *("logged_models", "logged_model_params", "logged_model_tags", "model_versions"),
    *("tenant_plans", "run_usage", "artifact_usage"),
    *("contents", "artifacts", "part_uploads", "parts"),
    *("run_ancestry", "experiment_retention", "condemned", "leftover_points"),
    *("archived_points", "archived_metrics"),
    "ended_credentials",
)
_PLATFORM_TABLES: Final = {
    TABLE: WHY_PLATFORM,
    "unused_contents": "platform: numbers of contents to be freed, for a sweep of all tenants",
    "loose_objects": "platform: keys of objects to be removed, for a sweep of all tenants",
}

SERVICE: Final = Service(
    name="tracking",
    settings=Settings,
    api=api,
    publishes=(EXPERIMENTS, RUNS, LOGGED_MODELS, RUN_METRICS, WORKSPACES),
    subscriptions=(
        KNOWN_TENANTS,
        ACCESS_CHANGES,
        MODEL_VERSIONS,
        SOURCES,
        EXPERIMENT_CHANGES,
        PLANS,
        REVOCATIONS,
        INGESTION,
        LIVE,
        WORKSPACES_LEAVE,
    ),
    workers=(
        clear_workspaces,
        sweep_contents,
        collect_garbage,
        pack_points,
        archive_points,
        hand_out_events,
        tend_listeners,
    ),
    migrations=Path(__file__).with_name("migrations"),
    tables={**dict.fromkeys(_TENANT_TABLES, "tenant"), **_PLATFORM_TABLES},
    peers=("auth", "registry"),
    snapshots=(EXPERIMENT_SNAPSHOT, RUN_SNAPSHOT, LOGGED_MODEL_SNAPSHOT),
    opens=open_state,
    outdates=outdate,
)
