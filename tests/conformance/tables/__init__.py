"""The operations that are compared, section by section."""

from typing import Final

from tests.conformance.cases import Operation
from tests.conformance.generated import operation_of
from tests.conformance.tables import experiments, logged_models, logging, metrics, runs, server

_MODULES: Final = (server, experiments, runs, logging, metrics, logged_models)


def operations() -> list[Operation]:
    """Every operation with its cases."""
    return [operation_of(table) for module in _MODULES for table in module.TABLES]
