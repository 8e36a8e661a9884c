"""MLflow's search language: filters and orders as values that a query can be built of."""

from services.tracking.model.filters.clauses import Clause, Order
from services.tracking.model.filters.experiments import experiment_clauses, experiment_orders
from services.tracking.model.filters.logged_models import (
    logged_model_clauses,
    logged_model_order,
)
from services.tracking.model.filters.runs import run_clauses, run_orders

__all__ = [
    "Clause",
    "Order",
    "experiment_clauses",
    "experiment_orders",
    "logged_model_clauses",
    "logged_model_order",
    "run_clauses",
    "run_orders",
]
