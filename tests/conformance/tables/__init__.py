"""The operations that are compared, section by section."""

from typing import Final

from services.tracking.service import SERVICE
from tests.conformance.cases import Operation
from tests.conformance.generated import Table, operation_of
from tests.conformance.tables import (
    artifacts,
    experiment_searches,
    experiments,
    logged_model_searches,
    logged_models,
    logging,
    logging_of_models,
    metrics,
    runs,
    server,
)
from tools.contracts.surfaces import surfaces

_MODULES: Final = (
    *(server, experiments, experiment_searches, runs, logging, logging_of_models, metrics),
    *(logged_models, logged_model_searches, artifacts),
)
_GATEWAYS_OWN: Final = ("GET", "/health")


def tables() -> list[Table]:
    """Every operation that is served here, with what is asked of it."""
    served = {*served_here(), _GATEWAYS_OWN}
    found: list[Table] = [table for module in _MODULES for table in module.TABLES]
    return [table for table in found if (table.method, table.path) in served]


def served_here() -> set[tuple[str, str]]:
    """Method and path, without its prefix, of each of tracking's operations that are MLflow's."""
    (surface,) = surfaces([SERVICE])
    return {
        (route.method, path.removeprefix("/api/").removeprefix("/ajax-api/").replace(":path", ""))
        for route in surface.routes
        for path in route.paths
        if not path.startswith("/internal/")
    }


def operations() -> list[Operation]:
    """Every operation with its cases."""
    return [operation_of(table) for table in tables()]
