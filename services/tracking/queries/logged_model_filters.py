"""Filters and orders over logged models as SQL: `m` is the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from libs.common.access.selection import Selection
from libs.common.filters.pages import Value
from services.tracking.model.filters import Clause, Order
from services.tracking.model.filters.logged_models import is_nan
from services.tracking.model.logged_models import known_uuid
from services.tracking.queries.access import put_selection
from services.tracking.queries.building import (
    NUMBER_COMPARISONS,
    Statement,
    as_float,
)
from services.tracking.queries.sorting import Term

# The points of a model: those whose context names it.
_POINTS: Final = """
FROM metric_contexts c
CROSS JOIN LATERAL points_in_context(c.tenant_no, c.context_no) x
WHERE c.tenant_no = m.tenant_no AND c.model_id = 'm-' || replace(m.model_id::text, '-', '')"""
# Those of runs that one may read; asked only of who may not read them all, as it looks at each run.
_READABLE: Final = """
 AND EXISTS (SELECT FROM runs r
             JOIN experiments e ON e.tenant_no = r.tenant_no AND e.experiment_id = r.experiment_id
             WHERE r.tenant_no = c.tenant_no AND r.run_no = x.run_no
               AND r.workspace_id = m.workspace_id"""
# A context is made with its first point: where all runs may be read, points need not be looked at.
_CONTEXTS: Final = """
 AND EXISTS (SELECT FROM metric_contexts c WHERE c.tenant_no = m.tenant_no
             AND c.model_id = 'm-' || replace(m.model_id::text, '-', '')"""
_KEY: Final = """
 AND x.key_no = (SELECT k.key_no FROM metric_keys k WHERE k.tenant_no = m.tenant_no AND k.key = ?)"""
_PARAM: Final = """
 AND EXISTS (SELECT FROM logged_model_params p WHERE p.tenant_no = m.tenant_no
             AND p.model_id = m.model_id AND p.key = ? AND p.value """
_TAG: Final = """
 AND EXISTS (SELECT FROM logged_model_tags t WHERE t.tenant_no = m.tenant_no
             AND t.model_id = m.model_id AND t.key = ? AND t.value """
_PAIRS: Final = {"params": _PARAM, "tags": _TAG}
_STATUS: Final = """
(ARRAY['LOGGED_MODEL_STATUS_UNSPECIFIED', 'LOGGED_MODEL_PENDING', 'LOGGED_MODEL_READY',
       'LOGGED_MODEL_UPLOAD_FAILED'])[m.status + 1]"""
_TEXTS: Final = {
    "model_id": "('m-' || replace(m.model_id::text, '-', ''))",
    "experiment_id": "m.experiment_id::text",
    "name": "m.name",
    "artifact_location": "m.artifact_uri",
    "status": _STATUS,
    "lifecycle_stage": "m.lifecycle_stage",
    "model_type": "m.model_type",
    "source_run_id": "m.source_run_id",
    "status_message": "''::text",
}
_NUMBERS: Final = {
    "creation_timestamp_ms": "m.creation_time",
    "last_updated_timestamp_ms": "m.last_update_time",
}
_TERMS: Final[dict[str, tuple[str, type[Value]]]] = {
    **{key: (expression, str) for key, expression in _TEXTS.items()},
    **{key: (expression, int) for key, expression in _NUMBERS.items()},
    "experiment_id": ("m.experiment_id", int),
    "status": ("m.status", int),
}
_NEWEST: Final = Order("attributes", "creation_timestamp_ms", ascending=False)
_BY_ID: Final = Order("attributes", "model_id", ascending=True)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Points of which dataset count; '' stands for any name or digest."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class OrderBy:
    """An order, and which dataset's points it looks at; None for all points."""

    order: Order
    dataset: Dataset | None = None


def put_clauses(
    statement: Statement,
    clauses: Sequence[Clause],
    datasets: Sequence[Dataset],
    runs: Selection,
) -> None:
    """AND each clause; metrics are of one of `datasets`, where there are any.

    Points count that were logged by runs of the experiments in `runs`. Without a metric among the clauses, a model must have points of any metric on one of them.
    """
    for clause in clauses:
        if clause.kind == "attributes":
            _put_attribute(statement, clause)
        elif clause.kind == "metrics":
            _put_metric(statement, clause, datasets, runs)
        else:
            statement.put(_PAIRS[clause.kind], clause.key)
            statement.compare_text(clause.comparator, clause.value).put(")")
    if datasets and not any(clause.kind == "metrics" for clause in clauses):
        if runs.everything:
            statement.put(_CONTEXTS)
        else:
            _put_points(statement.put(" AND EXISTS (SELECT"), runs)
        _put_datasets(statement, datasets)
        statement.put(")")


def put_joins(statement: Statement, orders: Sequence[OrderBy], runs: Selection) -> list[Term]:
    """Join what the orders need, and give the whole order: ties fall by the newest and the id.

    A metric counts with its point of the greatest (timestamp, step) among those of `runs`. Models without it come last,
    after those where it is not-a-number, in either direction.
    """
    terms: list[Term] = []
    for number, by in enumerate(orders):
        order = by.order
        if order.kind == "attributes":
            terms.append(Term(*_TERMS[order.key], order.ascending))
            continue
        name = f"o{number}"
        statement.put(" LEFT JOIN LATERAL (SELECT comparable(x.value) AS value,")
        statement.put(" CASE WHEN x.value = 'NaN'::float8 THEN 1 ELSE 0 END AS rank")
        _put_points(statement, runs)
        statement.put(_KEY, order.key)
        if by.dataset is not None:
            _put_datasets(statement, [by.dataset])
        statement.put(" ORDER BY x.ts DESC, x.step DESC, x.run_no, comparable(x.value) LIMIT 1) ")
        statement.put(name).put(" ON true")
        terms.append(Term(f"coalesce({name}.rank, 2)", int, ascending=True))
        terms.append(Term(f"coalesce({name}.value, 0)", float, order.ascending))
    given = {by.order.key for by in orders if by.order.kind == "attributes"}
    ties = [order for order in (_NEWEST, _BY_ID) if order.key not in given]
    return terms + [Term(*_TERMS[order.key], order.ascending) for order in ties]


def _put_metric(
    statement: Statement, clause: Clause, datasets: Sequence[Dataset], runs: Selection
) -> None:
    """Any point of the metric may match, as in MLflow, not the latest alone."""
    assert isinstance(clause.value, int | float)
    _put_points(statement.put(" AND EXISTS (SELECT"), runs)
    statement.put(_KEY, clause.key)
    _put_datasets(statement, datasets)
    if is_nan(clause.value):
        statement.put("" if clause.comparator == "!=" else " AND false")
    else:
        statement.put(" AND x.value ")
        statement.put(NUMBER_COMPARISONS[clause.comparator], as_float(clause.value))
        if clause.comparator in (">", ">="):
            # PostgreSQL holds not-a-number for greater than every number; it matches != alone.
            statement.put(" AND x.value <> 'NaN'::float8")
    statement.put(")")


def _put_points(statement: Statement, runs: Selection) -> None:
    statement.put(_POINTS)
    if not runs.everything:
        statement.put(_READABLE)
        put_selection(statement, runs)
        statement.put(")")


def _put_datasets(statement: Statement, datasets: Sequence[Dataset]) -> None:
    for position, dataset in enumerate(datasets):
        statement.put(" AND (" if position == 0 else " OR ")
        statement.put("(? = '' OR c.dataset_name = ?)", dataset.name, dataset.name)
        statement.put(" AND (? = '' OR c.dataset_digest = ?)", dataset.digest, dataset.digest)
    statement.put(")" if datasets else "")


def _put_attribute(statement: Statement, clause: Clause) -> None:
    statement.put(" AND ")
    if clause.key in _NUMBERS:
        assert isinstance(clause.value, int | float)
        if is_nan(clause.value):
            statement.put("true" if clause.comparator == "!=" else "false")
        else:
            statement.compare_number(f"{_NUMBERS[clause.key]} ", clause.comparator, clause.value)
    elif clause.key == "model_id" and clause.comparator in ("=", "IN"):
        wanted = clause.value if isinstance(clause.value, tuple) else (str(clause.value),)
        statement.put("m.model_id = ANY(?::uuid[])", [i for i in map(known_uuid, wanted) if i])
    else:
        statement.put(_TEXTS[clause.key]).put(" ")
        statement.compare_text(clause.comparator, clause.value)
