"""What may be asked of runs: metrics, params, tags, attributes and datasets."""

from collections.abc import Iterable
from typing import Final

from libs.common.errors import invalid
from services.tracking.model.filters import values
from services.tracking.model.filters.clauses import (
    LISTS,
    PRESENCE,
    Clause,
    Order,
    Written,
    split_identifier,
    written_clauses,
    written_order,
)
from services.tracking.model.filters.tokens import Token

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


def run_clauses(text: str) -> list[Clause]:
    """The clauses of a filter over runs, all of which must hold; raises a refusal 400."""
    return [_clause(written) for written in written_clauses(text)]


def run_orders(texts: Iterable[str]) -> list[Order]:
    """The orders of a search of runs, the first first; raises a refusal 400."""
    orders: list[Order] = []
    given = list(texts)
    for text in given:
        identifier, ascending = written_order(text)
        kind, key = _identified(identifier, _ORDERED)
        if kind == "dataset":
            raise invalid(f"Invalid identifier type '{kind}'")
        orders.append(
            Order(kind, _ALIASES.get(key, key) if kind == "attribute" else key, ascending)
        )
    if len({(order.kind, order.key) for order in orders}) < len(orders):
        raise invalid(f"`order_by` contains duplicate fields: {given}")
    return orders


def _clause(written: Written) -> Clause:
    kind, key = _identified(written.identifier, _SEARCHED)
    if written.comparator in PRESENCE:
        if kind not in ("tag", "parameter"):
            raise invalid(
                "IS NULL / IS NOT NULL is only supported for tags and params, not for"
                f" '{kind}' '{key}'"
            )
        return Clause(kind, key, written.comparator, None)
    value = _value(kind, key, written)
    allowed = _NUMBERS if kind == "attribute" and key in _NUMERIC else _COMPARATORS[kind]
    # A list only ever follows IN and NOT IN, and nothing else does.
    if written.comparator not in allowed or (
        isinstance(value, tuple) != (written.comparator in LISTS)
    ):
        raise invalid(f"Invalid comparator '{written.comparator}' not one of '{allowed}'")
    return Clause(
        kind, _ALIASES.get(key, key) if kind == "attribute" else key, written.comparator, value
    )


def _identified(identifier: str, attributes: tuple[str, ...]) -> tuple[str, str]:
    entity, key = split_identifier(identifier)
    if entity is not None and entity not in _KIND_OF:
        raise invalid(f"Invalid entity type '{entity}'. Valid values are {list(_KINDS)}")
    kind = "attribute" if entity is None else _KIND_OF[entity]
    if kind == "attribute" and key not in attributes:
        raise invalid(
            f"Invalid attribute key '{key}' specified. Valid keys are '{sorted(attributes)}'"
        )
    if kind == "dataset" and key not in _DATASET:
        raise invalid(f"Invalid dataset key '{key}' specified. Valid keys are '{sorted(_DATASET)}'")
    return kind, key


def _value(kind: str, key: str, written: Written) -> str | int | float | tuple[str, ...]:
    value = written.value
    if kind == "metric":
        return values.number(value, "metric")
    if kind in ("parameter", "tag"):
        return values.text(value, f"Expected a quoted string value for {kind} (e.g. 'my-value')")
    if kind == "dataset":
        if values.is_list(value):
            return values.texts(value)
        return values.text(value, "Expected a quoted string value for dataset attributes")
    return _attribute_value(key, value)


def _attribute_value(key: str, value: tuple[Token, ...]) -> str | int | float | tuple[str, ...]:
    if key in _NUMERIC:
        return values.number(value, f"numeric attribute: {key}")
    if values.is_list(value):
        if key != "run_id":
            raise invalid(
                "Only ['run_id'] attributes support comparison with a list of quoted string values."
            )
        return values.texts(value)
    return values.text(value, "Expected a quoted string value for attributes")
