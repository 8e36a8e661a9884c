"""What MLflow checks of each field of a request, in its order and its words.

A message that wants this declares `SCHEMA`: its fields in MLflow's order, each with its checks. The
types are looked at only where protobuf's reader could not take the whole message; what was read
until there then counts, as in MLflow.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from libs.common.errors import Refusal, invalid

SEE_DOCS: Final = " See the API docs for more information about request parameters."
Check = Callable[[Any], bool]
Schema = Mapping[str, tuple[Check, ...]]
# Where a server shows what it was given, it shows this much.
_SHOWN: Final = 200


def REQUIRED(value: Any) -> bool:  # noqa: N802 - the checks read as marks in a table
    """It is there, and no empty text."""
    return value is not None and value != ""


def TEXT(value: Any) -> bool:  # noqa: N802
    """A text."""
    return isinstance(value, str)


def INTEGER(value: Any) -> bool:  # noqa: N802
    """Something that Python makes an integer of, also by cutting a fraction off."""
    try:
        int(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def WHOLE(value: Any) -> bool:  # noqa: N802
    """An integer as protobuf or Python reads it, in a field that keeps it as it was written."""
    return INTEGER(value) or (" " not in str(value) and NUMBER(value) and float(value).is_integer())


def NUMBER(value: Any) -> bool:  # noqa: N802
    """Something that Python makes a float of."""
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def LIST(value: Any) -> bool:  # noqa: N802
    """A list."""
    return isinstance(value, list)


def TEXTS(value: Any) -> bool:  # noqa: N802
    """Holds nothing but texts."""
    return not isinstance(value, list) or all(isinstance(item, str) for item in value)


_TYPES: Final = frozenset({TEXT, INTEGER, NUMBER, LIST, TEXTS})


@dataclass(frozen=True, slots=True)
class Bound:
    """A check of how large a value is, however its field was spelled."""

    passes: Check

    def __call__(self, value: Any) -> bool:
        """Whether it is within the bound."""
        return self.passes(value)


def at_most(limit: int) -> Check:
    """A number up to `limit`, where one is given."""

    def passes(value: Any) -> bool:
        return not INTEGER(value) or int(value) <= limit

    return Bound(passes)


def between(least: int, most: int, message: str) -> Check:
    """A number within bounds, both included; refuses another with `message`."""

    def passes(value: Any) -> bool:
        if not INTEGER(value):
            return False
        if not least <= int(value) <= most:
            raise invalid(f"{message}{SEE_DOCS}")
        return True

    return Bound(passes)


def at_most_items(limit: int, message: str) -> Check:
    """A list of up to `limit` items; refuses a longer one with `message`, which shows `{count}`."""

    def passes(value: Any) -> bool:
        if len(value) > limit:
            raise invalid(message.format(count=len(value)) + SEE_DOCS)
        return True

    return Bound(passes)


def each_with(path: str, *fields: str) -> Check:
    """A list each of whose items has these fields; refuses the first one that is not there."""

    def passes(value: Any) -> bool:
        for place, item in enumerate(value or ()):
            as_written = isinstance(item, dict)
            for field in fields:
                found = item.get(field) if as_written else getattr(item, field, None)
                if found is None or found == "":
                    raise absent(f"{path}[{place}].{field}")
        return True

    return passes


def schema_of(kind: Any) -> Schema | None:
    """The checks that a message declares."""
    return getattr(kind, "SCHEMA", None)


def check_read(message: Any) -> None:
    """Refuse the first field of a message, read whole, that fails a check."""
    for name, checks in _beyond_types(message.__class__):
        value = getattr(message, name)
        if name == "run_id" and value is None:
            value = getattr(message, "run_uuid", None)
        _pass(name, value, checks)


def check_bounds(message: Any) -> None:
    """Refuse the first field of a message that is out of its bounds.

    MLflow looks at a field by its own name alone, and lets through what is written in camelCase.
    """
    for name, checks in _bounds_of(message.__class__):
        value = getattr(message, name)
        if value is not None:
            _pass(name, value, checks)


def check_written(found: Mapping[str, Any], schema: Schema, *, whole: bool) -> None:
    """Refuse the first field of a request as it was written that fails a check.

    Types are looked at unless the message was read `whole`.
    """
    for name, checks in schema.items():
        if name not in found and REQUIRED not in checks:
            continue
        value = found.get(name)
        if name == "run_id" and value is None:
            value = found.get("run_uuid")
        _pass(name, value, [each for each in checks if not (whole and each in _TYPES)])


def _pass(name: str, value: Any, checks: Iterable[Check]) -> None:
    for passes in checks:
        if not passes(value):
            raise absent(name) if passes is REQUIRED else unfit(name, value)


@cache
def _beyond_types(kind: Any) -> list[tuple[str, list[Check]]]:
    """The checks of a message that its types do not stand for."""
    schema = schema_of(kind) or {}
    found = [(name, [c for c in checks if c not in _TYPES]) for name, checks in schema.items()]
    return [(name, checks) for name, checks in found if checks]


@cache
def _bounds_of(kind: Any) -> list[tuple[str, list[Check]]]:
    """The bounds of a message's fields."""
    schema = schema_of(kind) or {}
    found: list[tuple[str, list[Check]]] = []
    for name, checks in schema.items():
        bounds: list[Check] = [check for check in checks if isinstance(check, Bound)]
        if bounds:
            found.append((name, bounds))
    return found


def absent(name: str) -> Refusal:
    """The refusal of a request without a field that it needs."""
    return invalid(f"Missing value for required parameter '{name}'.{SEE_DOCS}")


def unfit(name: str, value: object) -> Refusal:
    """The refusal of a value of the wrong type."""
    shown = json.dumps(value, sort_keys=True, separators=(",", ":"))[:_SHOWN]
    return invalid(
        f"Invalid value {shown} for parameter '{name}' supplied:  Hint: Value was of"
        f" type '{type(value).__name__}'.{SEE_DOCS}"
    )
