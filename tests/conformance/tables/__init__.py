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
# What the web pages ask of parts that are not here, and the address of an upload's parts, which is
# each server's own: tests/system/test_pages.py and test_parts.py look at them.
_NOT_OF_THE_API: Final = frozenset(
    {
        *("/graphql", "2.0/mlflow/gateway-proxy", "3.0/mlflow/ui-telemetry"),
        *("3.0/mlflow/assistant/config", "3.0/mlflow/assistant/providers"),
        *("3.0/mlflow/datasets/search", "3.0/mlflow/traces/search", "3.0/mlflow/traces/metrics"),
        "2.0/mlflow-artifacts/mpu-part",
    }
)


def tables() -> list[Table]:
    """Every operation that is served here, with what is asked of it."""
    served = {*served_here(), _GATEWAYS_OWN}
    found: list[Table] = [table for module in _MODULES for table in module.TABLES]
    return [table for table in found if (table.method, table.path) in served]


def served_here() -> set[tuple[str, str]]:
    """Method and path, without its prefix, of each of tracking's operations that are MLflow's."""
    (surface,) = surfaces([SERVICE])
    found = {
        (route.method, path.removeprefix("/api/").removeprefix("/ajax-api/").replace(":path", ""))
        for route in surface.routes
        for path in route.paths
        if not path.startswith("/internal/")
    }
    return {(method, path) for method, path in found if path not in _NOT_OF_THE_API}


def operations() -> list[Operation]:
    """Every operation with its cases."""
    return [operation_of(table) for table in tables()]
