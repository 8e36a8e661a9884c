"""MLflow's wire: request messages read as protobuf's JSON reader does, errors as MLflow's JSON.

The specification is the MLflow 3.17 server: unknown fields are passed over, null is unset,
integers may be strings, floats may be "NaN", names may be camelCase, a body may be encoded
twice, and one that is no JSON object counts as empty.
"""

import json
import math
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

import msgspec

from libs.common.errors import Refusal, invalid

B = TypeVar("B")
SEE_DOCS: Final = " See the API docs for more information about request parameters."
_INT64: Final = range(-(2**63), 2**63)
_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class _UnfitError(Exception):
    """A value that its field cannot hold, with the path to it."""

    def __init__(self, path: str, value: object) -> None:
        super().__init__(path)
        self.path = path
        self.value = value


def error_body(refusal: Refusal) -> bytes:
    """A refusal as the stock client reads it."""
    return msgspec.json.encode({"error_code": refusal.code, "message": refusal.message})


def require(body: object, *fields: str) -> None:
    """Refuse in MLflow's words the first of `fields` that is unset or empty."""
    for field in fields:
        value = getattr(body, field)
        if value is None or value == "":
            raise invalid(f"Missing value for required parameter '{field}'.{SEE_DOCS}")


def decode_body(raw: bytes, kind: type[B]) -> B:
    """The message in a JSON body; first strictly and fast, then as tolerantly as MLflow.

    The strict reader refuses what it does not know, so that whatever it takes needs no tolerance.
    """
    try:
        return _decoder(kind).decode(raw)  # type: ignore[arg-type, no-any-return]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return _tolerant(_read_object(raw), kind)


def decode_query(query: str, kind: type[B]) -> B:
    """The message in a query string: a repeated key is a list where the field is one."""
    given: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        given.setdefault(name, []).append(value)
    hints = _hints(kind)  # type: ignore[arg-type]
    found: dict[str, Any] = {}
    for name, values in given.items():
        if name not in hints:
            continue
        wanted = _bare(hints[name])
        if get_origin(wanted) is list:
            found[name] = values
        elif wanted is bool:
            found[name] = _query_bool(values[0])
        else:
            found[name] = values[0]
    return _tolerant(found, kind)


def _query_bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise invalid(f"Invalid boolean value: {text}, must be 'true' or 'false'.")
    return text.lower() == "true"


def _read_object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
        if isinstance(found, str):
            found = json.loads(found)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _tolerant(found: dict[str, Any], kind: type[B]) -> B:
    try:
        return _message(found, kind, "")  # type: ignore[no-any-return]
    except _UnfitError as unfit:
        shown = json.dumps(unfit.value, sort_keys=True, separators=(",", ":"))[:200]
        raise invalid(
            f"Invalid value {shown} for parameter '{unfit.path}' supplied:  Hint: Value was of"
            f" type '{type(unfit.value).__name__}'.{SEE_DOCS}"
        ) from None


def _message(found: Mapping[str, Any], kind: type[Any], path: str) -> Any:
    hints, spellings = _hints(kind), _spellings(kind)  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    for name, value in found.items():
        field = spellings.get(name)
        if field is None:
            continue
        if spelled.setdefault(field, name) != name:
            raise invalid(
                f"Request specifies both '{spelled[field]}' and '{name}'; provide only one of them."
            )
        if value is not None:
            values[field] = _value(value, _bare(hints[field]), f"{path}.{field}".lstrip("."))
    try:
        return kind(**values)
    except TypeError:
        raise _UnfitError(path or kind.__name__, dict(found)) from None


def _value(value: Any, kind: Any, path: str) -> Any:
    reader = _SCALARS.get(kind)
    if reader is not None:
        return reader(value, path)
    origin = get_origin(kind)
    if origin is list:
        if not isinstance(value, list):
            raise _UnfitError(path, value)
        inner = _bare(get_args(kind)[0])
        return [_value(item, inner, f"{path}[{i}]") for i, item in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise _UnfitError(path, value)
        inner = _bare(get_args(kind)[1])
        return {_text(k, path): _value(item, inner, f"{path}.{k}") for k, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if not isinstance(value, dict):
            raise _UnfitError(path, value)
        return _message(value, kind, path)
    return value


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str) or _SURROGATE.search(value):
        raise _UnfitError(path, value)
    return value


def _integer(value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _UnfitError(path, value)
    if isinstance(value, str) and " " in value:
        raise _UnfitError(path, value)
    try:
        number = int(value) if isinstance(value, int) else _integer_in(value)
    except (ValueError, OverflowError):
        raise _UnfitError(path, value) from None
    if number not in _INT64:
        raise _UnfitError(path, value)
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


def _number(value: Any, path: str) -> float:
    if not isinstance(value, int | float | str) or value == "nan":
        raise _UnfitError(path, value)
    if isinstance(value, float) and not math.isfinite(value):  # it was not between quotes
        raise _UnfitError(path, value)
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise _UnfitError(path, value) from None


def _truth(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise _UnfitError(path, value)
    return value


_SCALARS: Final[Mapping[Any, Callable[[Any, str], Any]]] = {
    str: _text,
    int: _integer,
    float: _number,
    bool: _truth,
}


@cache
def _decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(_strict(kind))


def _strict(kind: Any) -> Any:
    """A type that takes what `kind` takes, less what the tolerant reader must look at."""
    if kind is int:
        return _Int64
    if get_origin(kind) in (Union, UnionType):
        return Union[tuple(_strict(inner) for inner in get_args(kind))]  # noqa: UP007 - computed
    if get_origin(kind) in (list, dict):
        return get_origin(kind)[tuple(_strict(inner) for inner in get_args(kind))]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _strict_struct(kind)
    return kind


@cache
def _strict_struct(kind: Any) -> Any:
    """A subclass of `kind` that refuses unknown names, which may be its own in camelCase."""
    fields = [
        (field.name, _strict(field.type), _default_of(field))
        for field in msgspec.structs.fields(kind)
    ]
    return msgspec.defstruct(
        kind.__name__, fields, bases=(kind,), forbid_unknown_fields=True, kw_only=True
    )


def _default_of(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return msgspec.field() if field.required else msgspec.field(default=field.default)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {name: hints[name] for name in kind.__struct_fields__}


@cache
def _spellings(kind: Any) -> dict[str, str]:
    """Each way to write a field's name: its own and protobuf's JSON name."""
    return {_json_name(field): field for field in _hints(kind)} | {f: f for f in _hints(kind)}


def _json_name(field: str) -> str:
    first, *rest = field.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def _bare(hint: Any) -> Any:
    """The type behind `X | None`."""
    if get_origin(hint) in (Union, UnionType):
        given: Sequence[Any] = [kind for kind in get_args(hint) if kind is not type(None)]
        return given[0] if len(given) == 1 else Any
    return hint
