"""JSON read into messages as protobuf's reader does it, as far as it goes.

Unknown fields are passed over, null is unset, integers may be strings, floats may be "NaN", names
may be camelCase. The reader stops at the first value that its field cannot hold; what it has read
until there stays, as in MLflow. A not-a-number or infinity that is not between quotes is read as
what it says.
"""

import enum
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

from libs.common.errors import invalid

_INT64: Final = range(-(2**63), 2**63)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Choice(enum.Enum):
    """One of a few names, whose numbers on the wire follow each other."""

    @classmethod
    def first(cls) -> int:
        """The number of the first one."""
        return 1


@dataclass
class Fault:
    """A value that its field cannot hold, and the path to it."""

    path: str
    value: object


class _UnfitError(Exception):
    """A value that its field cannot hold."""


def read_message(found: Mapping[str, Any], kind: Any) -> tuple[Any, Fault | None]:
    """The message in a JSON object as far as it can be read, and what stopped the reader."""
    _refuse_two_spellings(found, kind)
    return _message(found, kind, "")


def _message(found: Any, kind: Any, path: str) -> tuple[Any, Fault | None]:
    values: dict[str, Any] = {}
    fault: Fault | None = None
    hints, spellings = hints_of(kind), _spellings(kind)
    if not isinstance(found, dict):
        return kind(), None if _is_empty(found, spellings) else Fault(path, found)
    for name, value in found.items():
        field = spellings.get(name)
        if field is None:
            continue
        if value is None:
            values.pop(field, None)
            continue
        read, fault = _value(value, bare(hints[field]), f"{path}.{field}".lstrip("."))
        if read is not None:
            values[field] = read
        if fault is not None:
            break
    return kind(**values), fault


def _is_empty(found: Any, spellings: Mapping[str, str]) -> bool:
    """Whether protobuf takes this for an object: what it can walk through, and finds no field in."""
    if isinstance(found, str):
        return True
    return isinstance(found, list) and all(
        isinstance(item, str) and item not in spellings for item in found
    )


def _value(value: Any, kind: Any, path: str) -> tuple[Any, Fault | None]:
    """A value as its field holds it, None where it cannot."""
    reader = _SCALARS.get(kind)
    if reader is not None:
        try:
            return reader(value), None
        except _UnfitError:
            return None, Fault(path, value)
    if get_origin(kind) is list:
        return _list(value, bare(get_args(kind)[0]), path)
    if get_origin(kind) is dict:
        return _dict(value, bare(get_args(kind)[1]), path)
    if _is_message(kind):
        return _message(value, kind, path)
    return _choice(value, kind, path)


def _choice(value: Any, kind: Any, path: str) -> tuple[Any, Fault | None]:
    """A choice by its name or number; an unknown name is passed over, an unknown number is not."""
    if not (isinstance(kind, type) and issubclass(kind, Choice)):
        return value, None
    if isinstance(value, str) and value in kind.__members__:
        return kind[value], None
    try:
        place = int(value) - kind.first()
    except ValueError:
        return None, None
    except (TypeError, OverflowError):
        return None, Fault(path, value)
    members = list(kind)
    return (members[place], None) if 0 <= place < len(members) else (None, Fault(path, value))


def _list(value: Any, kind: Any, path: str) -> tuple[list[Any] | None, Fault | None]:
    if not isinstance(value, list):
        return None, Fault(path, value)
    items: list[Any] = []
    for place, item in enumerate(value):
        where = f"{path}[{place}]"
        # A message joins the list before it is read, a scalar after.
        read, fault = (
            _value(item, kind, where) if item is not None else (_empty(kind), Fault(where, None))
        )
        if read is not None:
            items.append(read)
        if fault is not None:
            return items, fault
    return items, None


def _empty(kind: Any) -> Any:
    return kind() if _is_message(kind) else None


def _is_message(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _dict(value: Any, kind: Any, path: str) -> tuple[dict[str, Any] | None, Fault | None]:
    if not isinstance(value, dict):
        return None, Fault(path, value)
    read: dict[str, Any] = {}
    for name, item in value.items():
        if _SURROGATE.search(name):
            return read, Fault(path, value)
        found, fault = _value(item, kind, f"{path}.{name}")
        if fault is not None:
            return read, fault
        read[name] = found
    return read, None


def _refuse_two_spellings(found: Any, kind: Any) -> None:
    """Refuse an object that names one field two ways, before anything of it counts."""
    if not isinstance(found, dict) or not found:
        return
    for field, other in _two_spellings(kind):
        if field in found and other in found:
            raise invalid(
                f"Request specifies both '{field}' and '{other}'; provide only one of them."
            )
    for field, other, inner in _messages_in(kind):
        value = found.get(field, found.get(other))
        for item in value if isinstance(value, list) else [value]:
            _refuse_two_spellings(item, inner)


@cache
def _two_spellings(kind: Any) -> tuple[tuple[str, str], ...]:
    """The fields of a message that have two spellings, with both."""
    return tuple((f, _json_name(f)) for f in hints_of(kind) if _json_name(f) != f)


@cache
def _messages_in(kind: Any) -> tuple[tuple[str, str, Any], ...]:
    """The fields of a message that hold messages or lists of them: both spellings, what they hold."""
    found = []
    for field, hint in hints_of(kind).items():
        inner = bare(hint)
        if get_origin(inner) is list:
            inner = bare(get_args(inner)[0])
        if _is_message(inner):
            found.append((field, _json_name(field), inner))
    return tuple(found)


def _text(value: Any) -> str:
    if not isinstance(value, str) or _SURROGATE.search(value):
        raise _UnfitError
    return value


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _UnfitError
    if isinstance(value, str) and " " in value:
        raise _UnfitError
    try:
        number = int(value) if isinstance(value, int) else _integer_in(value)
    except (ValueError, OverflowError):
        raise _UnfitError from None
    if number not in _INT64:
        raise _UnfitError
    return number


def _integer_in(value: float | str) -> int:
    """The integer that a float or a text stands for: "12", "1e3", 4.0."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            value = float(value)
    if not value.is_integer():
        raise ValueError("it has a fraction")
    return int(value)


def _number(value: Any) -> float:
    if not isinstance(value, int | float | str) or value == "nan":
        raise _UnfitError
    try:
        return float(value)
    except ValueError:
        raise _UnfitError from None
    except OverflowError:  # MLflow falls over here; a zero in its place would be a wrong number
        raise invalid("A number is too large.") from None


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _UnfitError
    return value


_SCALARS: Final[Mapping[Any, Callable[[Any], Any]]] = {
    str: _text,
    int: _integer,
    float: _number,
    bool: _truth,
}


@cache
def hints_of(kind: Any) -> dict[str, Any]:
    """The types of a message's fields."""
    hints = get_type_hints(kind)
    return {name: hints[name] for name in kind.__struct_fields__}


@cache
def _spellings(kind: Any) -> dict[str, str]:
    """Each way to write a field's name: its own and protobuf's JSON name."""
    own = hints_of(kind)
    return {_json_name(field): field for field in own} | {field: field for field in own}


def _json_name(field: str) -> str:
    first, *rest = field.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def bare(hint: Any) -> Any:
    """The type behind `X | None`."""
    if get_origin(hint) in (Union, UnionType):
        given: Sequence[Any] = [kind for kind in get_args(hint) if kind is not type(None)]
        return given[0] if len(given) == 1 else Any
    return hint
