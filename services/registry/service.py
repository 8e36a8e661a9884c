"""registry on one page: what it serves, tells, hears and owns."""

from pathlib import Path
from typing import Final

from libs.common.access.hearing import ACCESS_CHANGES
from libs.common.contracts.registry import MODEL_VERSIONS, REGISTERED_MODELS, SOURCES, WORKSPACES
from libs.common.leaving import TABLE, WHY_PLATFORM, WORKSPACES_LEAVE
from libs.common.service import Service
from libs.common.tenants import KNOWN_TENANTS
from services.registry.api import api
from services.registry.consumers import LOGGED_MODELS, RUNS
from services.registry.snapshots import SNAPSHOTS
from services.registry.state import opens
from services.registry.workers import clear_workspaces

SERVICE: Final = Service(
    name="registry",
    settings=None,
    api=api,
    publishes=(REGISTERED_MODELS, MODEL_VERSIONS, SOURCES, WORKSPACES),
    subscriptions=(KNOWN_TENANTS, ACCESS_CHANGES, RUNS, LOGGED_MODELS, WORKSPACES_LEAVE),
    workers=(clear_workspaces,),
    migrations=Path(__file__).with_name("migrations"),
    tables={
        "registered_models": "tenant",
        "registered_model_tags": "tenant",
        "registered_model_aliases": "tenant",
        "model_versions": "tenant",
        "model_version_tags": "tenant",
        "retired_names": "tenant",
        "known_runs": "tenant",
        "known_models": "tenant",
        "condemned_sources": "tenant",
        TABLE: WHY_PLATFORM,
    },
    peers=("auth", "tracking"),
    snapshots=SNAPSHOTS,
    opens=opens,
)
