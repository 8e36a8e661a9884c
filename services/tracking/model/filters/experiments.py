"""What may be asked of experiments: their attributes and tags."""

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

_ATTRIBUTES: Final = ("creation_time", "experiment_id", "last_update_time", "name")
_NUMERIC: Final = ("creation_time", "last_update_time")
_NUMBERS: Final = ("=", "!=", ">", ">=", "<", "<=")
_TEXTS: Final = ("=", "!=", "LIKE", "ILIKE")


def experiment_clauses(text: str) -> list[Clause]:
    """The clauses of a filter over experiments, all of which must hold; raises a refusal 400."""
    return [_clause(written) for written in written_clauses(text)]


def experiment_orders(texts: Iterable[str]) -> list[Order]:
    """The orders of a search of experiments, the first first; raises a refusal 400."""
    orders: list[Order] = []
    for text in texts:
        identifier, ascending = written_order(text)
        kind, key = _identified(identifier)
        if kind != "attribute":
            raise invalid(f"Invalid order_by entity: {kind}")
        orders.append(Order(kind, key, ascending))
    return orders


def _clause(written: Written) -> Clause:
    kind, key = _identified(written.identifier)
    if written.comparator in PRESENCE:
        if kind != "tag":
            raise invalid(
                f"IS NULL / IS NOT NULL is only supported for tags, not for attribute '{key}'"
            )
        return Clause(kind, key, written.comparator, None)
    value = _value(kind, key, written)
    what, allowed = _comparators(kind, key)
    if written.comparator not in allowed or (
        isinstance(value, tuple) != (written.comparator in LISTS)
    ):
        raise invalid(f"Invalid comparator for {what}: {written.comparator}")
    return Clause(kind, key, written.comparator, value)


def _comparators(kind: str, key: str) -> tuple[str, tuple[str, ...]]:
    if kind == "tag":
        return "tag", _TEXTS
    if key == "experiment_id":
        return "experiment_id", ("=", "!=", *LISTS)
    return ("numeric attribute", _NUMBERS) if key in _NUMERIC else ("string attribute", _TEXTS)


def _identified(identifier: str) -> tuple[str, str]:
    entity, key = split_identifier(identifier)
    if entity not in (None, "attribute", "tag", "tags"):
        valid = ("attribute", "tag", "tags")
        raise invalid(f"Invalid entity type '{entity}'. Valid entity types are {valid}")
    kind = "tag" if entity in ("tag", "tags") else "attribute"
    if kind == "attribute" and key not in _ATTRIBUTES:
        raise invalid(
            f"Invalid attribute key '{key}' specified. Valid keys are '{list(_ATTRIBUTES)}'"
        )
    return kind, key


def _value(kind: str, key: str, written: Written) -> str | int | float | tuple[str, ...]:
    value = written.value
    if kind == "tag":
        return values.text(value, "Expected a quoted string value for tag (e.g. 'my-value')")
    if key in _NUMERIC:
        wanted = values.number(value, f"numeric attribute: {key}")
        if isinstance(wanted, float):
            raise invalid(f"Invalid value for numeric attribute '{key}': {str(wanted)!r}")
        return wanted
    if values.is_list(value):
        if key != "experiment_id":
            raise invalid(
                "Only ['experiment_id'] attributes support comparison with a list of quoted string"
                " values."
            )
        return tuple(_experiment_id(item) for item in values.texts(value))
    found = values.text(value, "Expected a quoted string value for attributes")
    return _experiment_id(found) if key == "experiment_id" else found


def _experiment_id(text: str) -> str:
    try:
        return str(int(text))
    except ValueError:
        raise invalid(
            f"Invalid experiment ID '{text}'. Experiment ID must be a valid integer."
        ) from None
