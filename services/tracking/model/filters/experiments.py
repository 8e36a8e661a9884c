"""What may be asked of experiments: their attributes and tags."""

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

_ATTRIBUTES: Final = ("creation_time", "experiment_id", "last_update_time", "name")
_NUMERIC: Final = ("creation_time", "last_update_time")
_NUMBERS: Final = ("=", "!=", ">", ">=", "<", "<=")
_TEXTS: Final = ("=", "!=", "LIKE", "ILIKE")
_STRINGS: Final = (*_TEXTS, *LISTS)


def experiment_clauses(text: str) -> list[Clause]:
    """The clauses of a filter over experiments, all of which must hold; raises a refusal 400."""
    clauses = [_clause(written) for written in written_clauses(text, shown="{}")]
    return [_checked(clause) for clause in clauses]


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
    check_sides(written)
    kind, key = _identified(written.left.text)
    if written.right is None:
        if kind != "tag":
            raise invalid(
                f"IS NULL / IS NOT NULL is only supported for tags, not for attribute '{key}'"
            )
        return Clause(kind, key, written.comparator, None)
    # As written: MLflow takes LIKE here and refuses like.
    return Clause(kind, key, written.comparator, _value(kind, key, written.right))


def _identified(identifier: str) -> tuple[str, str]:
    entity, point, key = identifier.partition(".")
    if not point:
        entity, key = "attribute", identifier
    if entity not in ("attribute", "tag", "tags"):
        valid = ("attribute", "tag", "tags")
        raise invalid(f"Invalid entity type '{entity}'. Valid entity types are {valid}")
    kind = "attribute" if entity == "attribute" else "tag"
    key = values.unquoted(key)
    if kind == "attribute" and key not in _ATTRIBUTES:
        raise invalid(
            f"Invalid attribute key '{key}' specified. Valid keys are '{told(_ATTRIBUTES)}'"
        )
    return kind, key


def _value(kind: str, key: str, token: Token) -> str | int | float | tuple[str, ...]:
    if kind == "tag":
        return values.text(token, "Expected a quoted string value for tag (e.g. 'my-value')")
    if key in _NUMERIC:
        return values.number(token, f"Expected numeric value type for numeric attribute: {key}")
    if values.is_list(token):
        if key != "experiment_id":
            raise invalid(
                "Only ['experiment_id'] attributes support comparison with a list of quoted string"
                " values."
            )
        return values.texts(token)
    return values.text(token, "Expected a quoted string value for attributes")


def _checked(clause: Clause) -> Clause:
    """The clause with its value as the database compares it; refuses an unfit comparator."""
    key, comparator, value = clause.key, clause.comparator, clause.value
    if clause.kind == "tag":
        if comparator not in (*_TEXTS, *PRESENCE):
            raise invalid(f"Invalid comparator for tag: {comparator}")
        return clause
    if key == "experiment_id":
        if comparator not in ("=", "!=", *LISTS):
            raise invalid(f"Invalid comparator for experiment_id: {comparator}")
        return Clause(clause.kind, key, comparator, _experiment_ids(comparator, value))
    if key in _NUMERIC:
        if comparator not in _NUMBERS:
            raise invalid(f"Invalid comparator '{comparator}' not one of '{told(_STRINGS)}")
        if isinstance(value, float):
            raise invalid(f"Invalid value for numeric attribute '{key}': {str(value)!r}")
    elif comparator not in _STRINGS:
        raise invalid(f"Invalid comparator '{comparator}' not one of '{told(_STRINGS)}'")
    elif comparator not in _TEXTS:
        raise invalid(f"Invalid comparator for string attribute: {comparator}")
    return clause


def _experiment_ids(comparator: str, value: object) -> str | tuple[str, ...]:
    if isinstance(value, tuple):
        # MLflow's parser lets a list pass anywhere, and its database refuses the statement.
        if comparator not in LISTS:
            raise invalid(f"Invalid comparator for experiment_id: {comparator}")
        return tuple(map(_experiment_id, value))
    return _experiment_id(str(value))


def _experiment_id(text: str) -> str:
    try:
        return str(int(text))
    except ValueError:
        raise invalid(
            f"Invalid experiment ID '{text}'. Experiment ID must be a valid integer."
        ) from None
