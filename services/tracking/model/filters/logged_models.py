"""What may be asked of logged models: metrics, params, tags and attributes."""

import math
import re
from typing import Final

from libs.common.errors import Refusal, invalid
from services.tracking.model.filters import values
from services.tracking.model.filters.clauses import (
    LISTS,
    PRESENCE,
    Clause,
    Order,
    Written,
    unquoted,
    written_clauses,
)
from services.tracking.model.filters.tokens import Token
from services.tracking.model.logged_models import STATUSES, WIRE_STATUSES

_ENTITIES: Final = ("attributes", "metrics", "params", "tags")
_ALIASES: Final = {
    "creation_time": "creation_timestamp_ms",
    "creation_timestamp": "creation_timestamp_ms",
    "last_updated_timestamp": "last_updated_timestamp_ms",
}
_NUMERIC: Final = ("creation_timestamp_ms", "last_updated_timestamp_ms")
_ATTRIBUTES: Final = (
    *("model_id", "experiment_id", "name", "artifact_location", *_NUMERIC, "status"),
    *("lifecycle_stage", "model_type", "source_run_id", "status_message"),
)
_NUMBERS: Final = ("<", "<=", ">", ">=", "=", "!=")
_TEXTS: Final = ("=", "!=", "LIKE", "ILIKE", "IN", "NOT IN")
_ENTITY: Final = re.compile(r"([a-z]+)\.(.+)", re.DOTALL)


def logged_model_clauses(text: str) -> list[Clause]:
    """The clauses of a filter over logged models, all of which must hold; else a refusal 400."""
    return [_clause(written) for written in written_clauses(text)]


def logged_model_order(field_name: str, *, ascending: bool) -> Order:
    """One order of a search of logged models; raises a refusal 400."""
    if "." not in field_name:
        key = _ALIASES.get(field_name, field_name)
        if key not in _ATTRIBUTES:
            raise invalid(f"Invalid order by field name: {field_name}")
        return Order("attributes", key, ascending)
    entity, _, key = field_name.partition(".")
    if entity != "metrics":
        raise invalid(f"Invalid order by field name: {field_name}. Only metrics are supported.")
    return Order("metrics", unquoted(key), ascending)


def _clause(written: Written) -> Clause:
    kind, key = _identified(written.identifier)
    if written.comparator in PRESENCE:
        raise invalid(
            f"Invalid comparison: {written.identifier} {written.comparator}. Expected a comparison"
            " with 3 tokens."
        )
    numeric = kind == "metrics" or key in _NUMERIC
    allowed = _NUMBERS if numeric else _TEXTS
    listed = values.is_list(written.value)
    if written.comparator not in allowed or listed != (written.comparator in LISTS):
        raise invalid(
            f"Invalid comparison operator for {kind}.{key}: {written.comparator!r}."
            f" Expected one of {allowed}."
        )
    value: str | float | tuple[str, ...]
    if numeric:
        value = _number(written.value, key)
    elif listed:
        value = values.texts(written.value)
    else:
        value = unquoted(written.value[0].text)
    if kind == "attributes" and key == "status" and written.comparator not in ("LIKE", "ILIKE"):
        value = tuple(map(_status, value)) if isinstance(value, tuple) else _status(str(value))
    return Clause(kind, key, written.comparator, value)


def _identified(identifier: str) -> tuple[str, str]:
    entity = _ENTITY.fullmatch(identifier)
    if entity is None:
        kind, key = "attributes", unquoted(identifier)
    else:
        kind, key = entity[1], unquoted(entity[2])
    if kind not in _ENTITIES:
        raise invalid(f"Invalid entity type: {kind!r}. Expected one of {list(_ENTITIES)}.")
    if kind == "attributes":
        key = _ALIASES.get(key, key)
        if key not in _ATTRIBUTES:
            raise invalid(f"Invalid attribute key: {key!r}. Expected one of {list(_ATTRIBUTES)}.")
    return kind, key


def _number(value: tuple[Token, ...], key: str) -> int | float:
    text = value[0].text
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise _no_number(text, key) from None


def _no_number(text: str, key: str) -> Refusal:
    return invalid(f"Expected numeric value type for {key}. Found {text}")


def _status(text: str) -> str:
    """A status as it stands in answers, by its number, its short or its long name."""
    if text.isascii() and text.isdigit() and int(text) < len(WIRE_STATUSES):
        return WIRE_STATUSES[int(text)]
    return WIRE_STATUSES[STATUSES.index(text)] if text in STATUSES else text


def is_nan(value: object) -> bool:
    """Whether a clause compares with not-a-number, which only ever differs."""
    return isinstance(value, float) and math.isnan(value)
