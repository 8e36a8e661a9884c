"""Filters and orders over runs as SQL: `r` is the run."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from services.tracking.model.filters import Clause, Order
from services.tracking.model.runs import RUN_NAME_TAG
from services.tracking.queries.building import (
    NUMBER_COMPARISONS,
    Statement,
    as_float,
)
from services.tracking.queries.sorting import Term

PARENT_TAG: Final = "mlflow.parentRunId"
PARENT_LENGTH: Final = 64
# As in the index `params_by_value`, where longer values cannot stand.
INDEXED_BYTES: Final = 100
_METRIC: Final = """
 AND EXISTS (SELECT FROM latest_metrics l WHERE l.tenant_no = r.tenant_no AND l.run_no = r.run_no
             AND l.key_no = (SELECT k.key_no FROM metric_keys k
                             WHERE k.tenant_no = $1 AND k.key = ?) AND l.value """
_PARAM: Final = """ EXISTS (SELECT FROM params p WHERE p.tenant_no = r.tenant_no AND p.run_no = r.run_no
             AND p.key = ?"""
_TAG: Final = """ EXISTS (SELECT FROM run_tags t WHERE t.tenant_no = r.tenant_no AND t.run_no = r.run_no
             AND t.key = ?"""
_DATASET: Final = """
 AND EXISTS (SELECT FROM inputs i
             JOIN datasets d ON d.tenant_no = i.tenant_no AND d.dataset_no = i.dataset_no
             WHERE i.tenant_no = r.tenant_no AND i.run_no = r.run_no AND d."""
_CONTEXT: Final = """
 AND EXISTS (SELECT FROM input_tags t WHERE t.tenant_no = r.tenant_no AND t.run_no = r.run_no
             AND t.key = 'mlflow.data.context' AND t.value """
_VALUES: Final = {"parameter": (_PARAM, " AND p.value "), "tag": (_TAG, " AND t.value ")}
_DATASET_COLUMNS: Final = {"name": "name ", "digest": "digest "}
_ATTRIBUTES: Final = {
    "start_time": " AND r.start_time ",
    "end_time": " AND r.end_time ",
    "status": " AND r.status ",
    "user_id": " AND r.user_id ",
    "artifact_uri": " AND r.artifact_uri ",
}
_RUN_ID: Final = " AND replace(r.run_id::text, '-', '') "

_METRIC_ORDER: Final = """
 LEFT JOIN LATERAL (
     SELECT CASE WHEN l.value = 'NaN'::float8 THEN 1 ELSE 0 END AS rank,
            comparable(l.value) AS value
     FROM latest_metrics l WHERE l.tenant_no = r.tenant_no AND l.run_no = r.run_no
          AND l.key_no = (SELECT k.key_no FROM metric_keys k
                          WHERE k.tenant_no = $1 AND k.key = ?)) """
_PARAM_ORDER: Final = """
 LEFT JOIN LATERAL (
     SELECT 0 AS rank, p.value FROM params p
     WHERE p.tenant_no = r.tenant_no AND p.run_no = r.run_no AND p.key = ?) """
_TAG_ORDER: Final = """
 LEFT JOIN LATERAL (
     SELECT 0 AS rank, t.value FROM run_tags t
     WHERE t.tenant_no = r.tenant_no AND t.run_no = r.run_no AND t.key = ?) """
_JOINS: Final = {"metric": _METRIC_ORDER, "parameter": _PARAM_ORDER, "tag": _TAG_ORDER}
_COLUMNS: Final[dict[str, tuple[str, type[int | str | UUID]]]] = {
    "start_time": ("r.start_time", int),
    "status": ("r.status", str),
    "user_id": ("r.user_id", str),
    "artifact_uri": ("r.artifact_uri", str),
    "run_name": ("r.name", str),
    "run_id": ("r.run_id", UUID),
}
_BY_ID: Final = Term("r.run_id", UUID, ascending=True)
_NEWEST: Final = Term("r.start_time", int, ascending=False)


def put_clauses(statement: Statement, clauses: Sequence[Clause]) -> None:
    """AND each clause."""
    for clause in clauses:
        _PUTTERS[clause.kind](statement, clause)


def put_joins(statement: Statement, orders: Sequence[Order]) -> list[Term]:
    """Join what the orders need, and give the whole order: ties fall by start time and id."""
    terms: list[Term] = []
    for number, order in enumerate(orders):
        if order.kind == "attribute":
            terms += _attribute_terms(order)
            continue
        name = f"o{number}"
        statement.put(_JOINS[order.kind], order.key).put(name).put(" ON true")
        terms.append(Term(f"coalesce({name}.rank, 2)", int, ascending=True))
        if order.kind == "metric":
            terms.append(Term(f"coalesce({name}.value, 0)", float, order.ascending))
        else:
            terms.append(Term(f"coalesce({name}.value, '')", str, order.ascending))
    if not any(order.kind == "attribute" and order.key == "start_time" for order in orders):
        terms.append(_NEWEST)
    return [*terms, _BY_ID]


def _attribute_terms(order: Order) -> list[Term]:
    if order.key == "end_time":
        absent = Term("(r.end_time IS NULL)::int", int, ascending=True)
        return [absent, Term("coalesce(r.end_time, 0)", int, order.ascending)]
    expression, kind = _COLUMNS[order.key]
    return [Term(expression, kind, order.ascending)]


def _put_metric(statement: Statement, clause: Clause) -> None:
    assert isinstance(clause.value, int | float)
    statement.put(_METRIC, clause.key)
    statement.put(NUMBER_COMPARISONS[clause.comparator], as_float(clause.value))
    if clause.comparator in (">", ">="):
        # PostgreSQL holds not-a-number for greater than every number; it matches != alone.
        statement.put(" AND l.value <> 'NaN'::float8")
    statement.put(")")


def _put_pair(statement: Statement, clause: Clause) -> None:
    exists, value = _VALUES[clause.kind]
    statement.put(" AND NOT" if clause.comparator == "IS NULL" else " AND")
    statement.put(exists, clause.key)
    if clause.value is not None:
        statement.put(value).compare_text(clause.comparator, clause.value)
        if clause.kind == "tag" and clause.key == PARENT_TAG and clause.comparator == "=":
            statement.put(" AND t.parent = ?", str(clause.value)[:PARENT_LENGTH])
        elif clause.kind == "parameter" and clause.comparator == "=":
            _put_indexed(statement, str(clause.value))
    statement.put(")")


def _put_indexed(statement: Statement, value: str) -> None:
    if len(value.encode()) <= INDEXED_BYTES:
        # True of a value that is equal; the planner must see it to look into the index.
        statement.put(" AND octet_length(p.value) <= 100")


def _put_dataset(statement: Statement, clause: Clause) -> None:
    if clause.key == "context":
        statement.put(_CONTEXT)
    else:
        statement.put(_DATASET).put(_DATASET_COLUMNS[clause.key])
    statement.compare_text(clause.comparator, clause.value).put(")")


def _put_attribute(statement: Statement, clause: Clause) -> None:
    if isinstance(clause.value, int | float):
        statement.compare_number(_ATTRIBUTES[clause.key], clause.comparator, clause.value)
    elif clause.key == "run_id":
        _put_run_id(statement, clause)
    elif clause.key == "run_name":
        # MLflow asks the tag, which may have been deleted, and not the run.
        _put_pair(statement, Clause("tag", RUN_NAME_TAG, clause.comparator, clause.value))
    else:
        statement.put(_ATTRIBUTES[clause.key])
        statement.compare_text(clause.comparator, clause.value)


def _put_run_id(statement: Statement, clause: Clause) -> None:
    wanted = clause.value if isinstance(clause.value, tuple) else (str(clause.value),)
    if clause.comparator in ("=", "IN"):
        ids = [UUID(text) for text in wanted if len(text) == 32 and _is_lower_hex(text)]
        statement.put(" AND r.run_id = ANY(?::uuid[])", ids)
        return
    statement.put(_RUN_ID).compare_text(clause.comparator, clause.value)


def _is_lower_hex(text: str) -> bool:
    return all(character in "0123456789abcdef" for character in text)


_PUTTERS: Final = {
    "metric": _put_metric,
    "parameter": _put_pair,
    "tag": _put_pair,
    "dataset": _put_dataset,
    "attribute": _put_attribute,
}
