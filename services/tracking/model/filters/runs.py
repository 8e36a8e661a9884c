"""What may be asked of runs: metrics, params, tags, attributes and datasets."""

from collections.abc import Iterable
from typing import Final

from libs.common.errors import invalid
from libs.common.filters import values
from libs.common.filters.clauses import (
    LISTS,
    PRESENCE,
    Written,
    check_sides,
    written_clauses,
    written_order,
)
from libs.common.filters.tokens import Token
from libs.common.filters.values import told
from services.tracking.model.filters.clauses import Clause, Order

_KINDS: Final = {
    "metric": ("metric", "metrics"),
    "parameter": ("parameter", "parameters", "param", "params"),
    "tag": ("tag", "tags"),
    "attribute": ("attribute", "attributes", "attr", "run"),
    "dataset": ("dataset", "datasets"),
}
_KIND_OF: Final = {spelling: kind for kind, spellings in _KINDS.items() for spelling in spellings}
_NUMERIC: Final = ("start_time", "end_time", "created", "Created")
_ORDERED: Final = (
    *("run_id", "run_name", "user_id", "status", "artifact_uri"),
    *_NUMERIC,
)
_SEARCHED: Final = (*_ORDERED, "run name", "Run name", "Run Name")
_DATASET: Final = ("name", "digest", "context")
_ALIASES: Final = {
    "created": "start_time",
    "Created": "start_time",
    "run name": "run_name",
    "Run name": "run_name",
    "Run Name": "run_name",
}
_NUMBERS: Final = ("=", "!=", ">", ">=", "<", "<=")
_TEXTS: Final = ("=", "!=", "LIKE", "ILIKE")
_COMPARATORS: Final = {
    "metric": _NUMBERS,
    "parameter": (*_TEXTS, *PRESENCE),
    "tag": (*_TEXTS, *PRESENCE),
    "attribute": (*_TEXTS, *LISTS),
    "dataset": (*_TEXTS, *LISTS),
}
_Value = str | int | float | tuple[str, ...]


def run_clauses(text: str) -> list[Clause]:
    """The clauses of a filter over runs, all of which must hold; raises a refusal 400."""
    clauses = [_clause(written) for written in written_clauses(text)]
    for clause in clauses:
        _check_comparator(clause)
    return clauses


def run_orders(texts: Iterable[str]) -> list[Order]:
    """The orders of a search of runs, the first first; raises a refusal 400."""
    orders: list[Order] = []
    given = list(texts)
    for text in given:
        identifier, ascending = written_order(text)
        kind, key = _identified(identifier, _ORDERED)
        if kind == "dataset":
            raise invalid(f"Invalid identifier type '{kind}'")
        orders.append(Order(kind, _named(kind, key), ascending))
    if len({(order.kind, order.key) for order in orders}) < len(orders):
        raise invalid(f"`order_by` contains duplicate fields: {given}")
    return orders


def _clause(written: Written) -> Clause:
    check_sides(written)
    kind, key = _identified(written.left.text, _SEARCHED)
    if written.right is None:
        if kind not in ("tag", "parameter"):
            raise invalid(
                "IS NULL / IS NOT NULL is only supported for tags and params, not for"
                f" '{kind}' '{key}'"
            )
        return Clause(kind, key, written.comparator, None)
    value = _value(kind, key, written.right)
    return Clause(kind, _named(kind, key), written.comparator.upper(), value)


def _named(kind: str, key: str) -> str:
    return _ALIASES.get(key, key) if kind == "attribute" else key


def _check_comparator(clause: Clause) -> None:
    numeric = clause.kind == "attribute" and clause.key in _NUMERIC
    allowed = _NUMBERS if numeric else _COMPARATORS[clause.kind]
    # MLflow's parser lets a list pass anywhere, and its database refuses the statement.
    if clause.comparator not in allowed or (
        isinstance(clause.value, tuple) != (clause.comparator in LISTS)
    ):
        # Word for word: MLflow tells what texts may be compared with, and closes few quotes.
        ends = clause.kind == "parameter" or (clause.kind == "attribute" and not numeric)
        shown = told(_COMPARATORS[clause.kind]) + ("'" if ends else "")
        raise invalid(f"Invalid comparator '{clause.comparator}' not one of '{shown}")


def _identified(identifier: str, attributes: tuple[str, ...]) -> tuple[str, str]:
    entity, point, key = identifier.partition(".")
    if not point:
        entity, key = "attribute", identifier
    entity, key = values.unticked(entity), values.unquoted(key)
    if entity not in _KIND_OF:
        raise invalid(f"Invalid entity type '{entity}'. Valid values are {list(_KINDS)}")
    kind = _KIND_OF[entity]
    if kind == "attribute" and key not in attributes:
        raise invalid(
            f"Invalid attribute key '{key}' specified. Valid keys are '{told(attributes)}'"
        )
    if kind == "dataset" and key not in _DATASET:
        raise invalid(f"Invalid dataset key '{key}' specified. Valid keys are '{told(_DATASET)}'")
    return kind, key


def _value(kind: str, key: str, token: Token) -> _Value:
    if kind == "metric":
        refusal = "Expected numeric value type for metric"
        # Every metric is a double; one of too many digits is infinite.
        return float(token.text) if values.is_number(token) else values.number(token, refusal)
    if kind in ("parameter", "tag"):
        return values.text(token, f"Expected a quoted string value for {kind} (e.g. 'my-value')")
    if kind == "dataset":
        if values.is_list(token):
            return values.texts(token)
        return values.text(token, "Expected a quoted string value for dataset attributes")
    return _attribute_value(key, token)


def _attribute_value(key: str, token: Token) -> _Value:
    if key in _NUMERIC:
        return values.number(token, f"Expected numeric value type for numeric attribute: {key}")
    if values.is_list(token):
        if key != "run_id":
            raise invalid(
                "Only ['run_id'] attributes support comparison with a list of quoted string values."
            )
        return values.texts(token)
    return values.text(token, "Expected a quoted string value for attributes")
