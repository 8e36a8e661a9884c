"""MLflow's wire: request messages read as MLflow's server reads them, errors as MLflow's JSON.

The specification is the MLflow 3.17 server: a body may be encoded twice, and one that is no JSON
object counts as empty; the rest stands in `reading` and `checks`.
"""

import json
from collections.abc import Hashable
from functools import cache
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec

from libs.common.errors import Refusal, invalid
from libs.common.http.checks import (
    SEE_DOCS,
    absent,
    check_bounds,
    check_read,
    check_written,
    schema_of,
    unfit,
)
from libs.common.http.reading import bare, hints_of, read_message

__all__ = ["SEE_DOCS", "decode_body", "decode_query", "error_body", "require"]

B = TypeVar("B")
_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_TRUTHS: Final = ("true", "false")


def error_body(refusal: Refusal) -> bytes:
    """A refusal as the stock client reads it."""
    return msgspec.json.encode({"error_code": refusal.code, "message": refusal.message})


def require(body: object, *fields: str) -> None:
    """Refuse in MLflow's words the first of `fields` that is unset or empty."""
    for field in fields:
        value = getattr(body, field)
        if value is None or value == "":
            raise absent(field)


def decode_body(raw: bytes, kind: type[B]) -> B:
    """The message in a JSON body; first strictly and fast, then as tolerantly as MLflow.

    The strict reader refuses what it does not know, so that whatever it takes needs no tolerance.
    """
    try:
        found = _decoder(kind).decode(raw)  # type: ignore[arg-type]
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return _tolerant(_read_object(raw), kind)
    check_read(found)
    return found  # type: ignore[no-any-return]


def decode_query(query: str, kind: type[B]) -> B:
    """The message in a query string: a repeated key is a list where the field is one."""
    given: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace"):
        given.setdefault(name, []).append(value)
    hints = hints_of(kind)  # type: ignore[arg-type]
    found: dict[str, Any] = {}
    for name, values in given.items():
        if name not in hints:
            continue
        wanted = bare(hints[name])
        if get_origin(wanted) is list:
            found[name] = values
        elif wanted is bool:
            found[name] = _query_bool(values[0])
        else:
            found[name] = values[0]
    return _tolerant(found, kind)


def _query_bool(text: str) -> bool:
    if text.lower() not in _TRUTHS:
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
    schema = schema_of(kind)
    try:
        message, fault = read_message(found, kind)
        if schema is not None:
            check_written(found, schema, whole=fault is None)
            check_bounds(message)
        elif fault is not None:
            raise unfit(fault.path, fault.value)
    except RecursionError:
        raise invalid("The request is nested too deeply.") from None
    return message  # type: ignore[no-any-return]


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
