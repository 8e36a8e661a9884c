"""What may be asked of logged models: metrics, params, tags and attributes."""

import math
import re
from typing import Final, NamedTuple

from libs.common.errors import invalid
from libs.common.filters import values
from libs.common.filters.clauses import (
    LISTS,
    NoStatementError,
    SeveralStatementsError,
    Written,
    clauses_of,
    read,
)
from libs.common.filters.groups import MOST_TOKENS, TooMuchError
from libs.common.filters.tokens import Token
from services.tracking.model.filters.clauses import Clause, Order
from services.tracking.model.logged_models import STATUSES, WIRE_STATUSES

_ENTITIES: Final = ("attributes", "metrics", "params", "tags")
_ALIASES: Final = {
    "creation_time": "creation_timestamp_ms",
    "creation_timestamp": "creation_timestamp_ms",
    "last_updated_timestamp": "last_updated_timestamp_ms",
}
_NUMERIC: Final = ("creation_timestamp_ms", "last_updated_timestamp_ms")
_WHOLE: Final = ("status", "experiment_id")
_ATTRIBUTES: Final = (
    *("model_id", "experiment_id", "name", "artifact_location", *_NUMERIC, "status"),
    *("lifecycle_stage", "model_type", "source_run_id", "status_message"),
)
_NUMBERS: Final = ("<", "<=", ">", ">=", "=", "!=")
_TEXTS: Final = ("=", "!=", "LIKE", "ILIKE", "IN", "NOT IN")
_ENTITY: Final = re.compile(r"([a-z]+)\.(.+)")


class _Compared(NamedTuple):
    """A clause whose identifier and comparator are known, and whose value is not yet."""

    kind: str
    key: str
    comparator: str
    right: Token


def logged_model_clauses(text: str) -> list[Clause]:
    """The clauses of a filter over logged models, all of which must hold; else a refusal 400."""
    if not text:
        return []
    compared: list[_Compared] = []
    for written in clauses_of(_statement(text)):
        if isinstance(written, Token):
            # built-sql: the words of a refusal, which are no SQL
            raise invalid(
                f"Invalid filter string: {text!r}. Expected a list of comparisons separated by"
                " 'AND' (e.g. 'metrics.loss > 0.1 AND params.lr = 0.01')."
            )
        compared.append(_compared(written))
    return [_clause(comparison) for comparison in compared]


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
    return Order("metrics", key, ascending)


def is_nan(value: object) -> bool:
    """Whether a clause compares with not-a-number, which only ever differs."""
    return isinstance(value, float) and math.isnan(value)


def _statement(text: str) -> list[Token]:
    try:
        return read(text)
    except TooMuchError:
        raise invalid(
            f"Invalid filter string: {text!r}. SQLParseError('Maximum number of tokens exceeded"
            f" ({MOST_TOKENS}).')"
        ) from None
    except (NoStatementError, SeveralStatementsError):
        raise invalid(
            f"Invalid filter string: {text!r}. Expected a single SQL expression."
        ) from None


def _compared(written: Written) -> _Compared:
    if written.right is None or written.size != 3:
        raise invalid(f"Invalid comparison: {written.text}. Expected a comparison with 3 tokens.")
    kind, key = _identified(written.left.text)
    comparator = written.comparator.upper()
    allowed = _NUMBERS if kind == "metrics" or key in _NUMERIC else _TEXTS
    if comparator not in allowed:
        raise invalid(
            f"Invalid comparison operator for {kind}.{key}: {comparator!r}."
            f" Expected one of {allowed}."
        )
    return _Compared(kind, key, comparator, written.right)


def _clause(compared: _Compared) -> Clause:
    kind, key, comparator, right = compared
    if kind == "attributes" and key not in _ATTRIBUTES:
        raise invalid(f"Invalid attribute key: {key!r}. Expected one of {list(_ATTRIBUTES)}.")
    text = right.text
    value: str | float | tuple[str, ...]
    if kind == "metrics" or key in _NUMERIC:
        value = _number(text, key)
    elif (text.startswith("(") and text.endswith(")")) != (comparator in LISTS):
        # MLflow's parser lets a list pass anywhere, and its database refuses the statement.
        raise invalid(f"Invalid value for {kind}.{key} {comparator}: {text}")
    elif comparator in LISTS:
        value = _texts(right, key)
    else:
        # Only these quotes are looked at: a name and a number stand for their own text.
        value = text.strip("'")
    if kind == "attributes" and key == "status" and comparator not in ("LIKE", "ILIKE"):
        value = tuple(map(_status, value)) if isinstance(value, tuple) else _status(str(value))
    return Clause(kind, key, comparator, value)


def _identified(identifier: str) -> tuple[str, str]:
    entity = _ENTITY.match(identifier)
    if entity is None or entity.end() < len(identifier.removesuffix("\n")):
        return "attributes", _ALIASES.get(identifier, identifier).strip("`")
    kind, key = entity[1], entity[2].strip("`")
    if kind not in _ENTITIES:
        raise invalid(f"Invalid entity type: {kind!r}. Expected one of {list(_ENTITIES)}.")
    return kind, _ALIASES.get(key, key) if kind == "attributes" else key


def _number(text: str, key: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise invalid(f"Expected numeric value type for {key}. Found {text}") from None


def _texts(token: Token, key: str) -> tuple[str, ...]:
    """The texts of a list; of a column of numbers also its whole numbers, as texts."""
    items = values.literal(token.text)
    kinds = (str, int) if key in _WHOLE else (str,)
    if all(type(item) in kinds for item in items):
        return tuple(map(str, items))
    return values.texts(token)


def _status(text: str) -> str:
    """A status as it stands in answers, by its number, its short or its long name."""
    if len(text) == 1 and text in "0123":
        return WIRE_STATUSES[int(text)]
    return WIRE_STATUSES[STATUSES.index(text)] if text in STATUSES else text
