"""The systematic cases of an operation: each field missing, of wrong types, at its limit, over it.

A table says of each operation what a good request is, and of each field its kind and limit; what
protobuf's reader takes and what it does not follows from the kind.
"""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from tests.conformance.cases import BOTH, JSON, NEW_LENGTH, Case, Operation, Request, under_prefixes

TEXT: Final = "text"
INTEGER: Final = "integer"
NUMBER: Final = "number"
TRUTH: Final = "truth"
LIST: Final = "list"
OBJECT: Final = "object"
CHOICE: Final = "choice"
# Of each kind, what is sent in place of a good value; a text here is sent as JSON text.
ODD: Final[Mapping[str, Sequence[Any]]] = {
    TEXT: ("", 12, True, ["x"], {"a": 1}),
    INTEGER: ("12", "x", 1.5, 2.0, True, [1], 2**63, -1, "", "1e3", " 1", "-0"),
    NUMBER: ("1.5", "NaN", "Infinity", "-Infinity", "nan", "x", True, [1], "", 10**400),
    TRUTH: ("true", 1, 0, "x", [True], ""),
    LIST: ([], "x", 5, {}, [None], [5], [[]], {"a": 1}),
    OBJECT: ({}, "x", 5, []),
    CHOICE: ("NO_SUCH", 1, 99, "1", True, [1], "", 1.0, 1.5),
}
# What is sent in place of a value inside a list, where the reader is the same one.
INNER: Final[Mapping[str, Sequence[Any]]] = {
    TEXT: ("", 12),
    INTEGER: ("12", "x", 1.5, True),
    NUMBER: ("1.5", "NaN", "x", True, 10**400),
    LIST: ([], "x", [5]),
}
_BARE: Final = {NUMBER: ("NaN", "Infinity", "-Infinity", "1e999"), INTEGER: ("NaN", "1e999")}
_IN_QUERY: Final[Mapping[str, Sequence[str]]] = {
    TEXT: ("", "%00", "%F0%9F%98%80", "a+b"),
    INTEGER: ("", "x", "1.5", "2.0", "-1", "0", "9223372036854775808", "1e3", "+1", "%201"),
    TRUTH: ("", "x", "1", "TRUE", "false"),
    CHOICE: ("", "NO_SUCH", "1", "99"),
    LIST: ("",),
}


@dataclass(frozen=True)
class Field:
    """A field of a request: its path (`tags.0.key`), its kind, and its most characters or items."""

    path: str
    kind: str = TEXT
    limit: int | None = None
    # What one item of a list is, and a text's character, when its limit is tried.
    filling: Any = "x"
    # Without it an answer would show what other operations did meanwhile.
    bounds: bool = False


@dataclass(frozen=True)
class Table:
    """An operation: a good request, its fields, what is there before, and cases by hand."""

    section: str
    method: str
    path: str
    good: Mapping[str, Any] = field(default_factory=dict)
    fields: Sequence[Field] = ()
    before: Sequence[Request] = ()
    extra: Sequence[Case] = ()
    after: Sequence[Request] = ()
    prefixes: Sequence[str] = BOTH
    place: str | None = None
    # Without it the cases by hand are all.
    systematic: bool = True

    @property
    def where(self) -> str:
        """The path with its parameters filled in by placeholders."""
        return self.place or self.path


def operation_of(table: Table) -> Operation:
    """The operation with all its cases."""
    made = _of_query(table) if table.method == "GET" else _of_body(table)
    systematic = made if table.systematic else ()
    return under_prefixes(
        Operation(
            table.section,
            table.method,
            table.path,
            tuple(table.prefixes),
            tuple(table.before),
            (*systematic, *table.extra),
        )
    )


def _of_query(table: Table) -> Iterator[Case]:
    def case(name: str, given: Mapping[str, Any], more: str = "") -> Case:
        query = "&".join([*_pairs(given), *([more] if more else [])])
        return Case(name, (Request("GET", table.where, query),), tuple(table.after))

    yield case("happy", table.good)
    yield case("an unknown name", table.good, "nobody=1")
    if not table.fields:
        return
    if not all(each.bounds for each in table.fields):
        yield case("no query", {})
    yield Case(
        "a body in place of a query",
        (Request("GET", table.where, body=dict(table.good)),),
        tuple(table.after),
    )
    for each in table.fields:
        if each.path in table.good and not each.bounds:
            yield case(f"{each.path} missing", _without(table.good, each.path))
            given = quote(_text_of(table.good[each.path]), safe="$")
            yield case(f"{each.path} repeated", table.good, f"{each.path}={given}")
            yield case(f"{each.path} given twice", table.good, f"{each.path}=other")
        for odd in _IN_QUERY[each.kind]:
            if each.bounds and not odd:
                continue
            rest = _without(table.good, each.path)
            yield case(f"{each.path} = {odd!r}", rest, f"{each.path}={odd}")
        camel = _camel(each.path)
        if camel != each.path and each.path in table.good:
            rest = _without(table.good, each.path)
            yield case(f"{each.path} in camel case", {**rest, camel: table.good[each.path]})


def _of_body(table: Table) -> Iterator[Case]:
    def case(name: str, body: Any) -> Case:
        return Case(name, (Request(table.method, table.where, body=body),), tuple(table.after))

    def raw(name: str, content: bytes, kind: str | None = JSON) -> Case:
        sent = Request(table.method, table.where, raw=content, content_type=kind)
        return Case(name, (sent,), tuple(table.after))

    good = json.dumps(table.good).encode()
    yield case("happy", dict(table.good))
    if table.method == "DELETE":
        return
    yield raw("an empty body", b"")
    yield raw("no JSON", b"{")
    yield raw("a list", b"[]")
    yield raw("null", b"null")
    yield raw("no UTF-8", b'{"a": "\xff"}')
    yield raw("doubly encoded", json.dumps(good.decode()).encode())
    yield raw("another content type", good, "text/plain")
    yield raw("no content type", good, None)
    yield raw("a character set", good, "application/json; charset=utf-8")
    yield case("an unknown field", {**table.good, "nobody": {"a": [1]}})
    for each in table.fields:
        yield from _of_field(table, each, case, raw)


def _of_field(table: Table, each: Field, case: Any, raw: Any) -> Iterator[Case]:
    name, good = each.path, table.good
    inside = "." in name
    if _has(good, name) and not each.bounds:
        yield case(f"{name} missing", _without(good, name))
    if not each.bounds:
        yield case(f"{name} null", _with(good, name, None))
    for odd in (INNER if inside else ODD)[each.kind]:
        if each.bounds and not odd:
            continue
        shown = json.dumps(odd)
        yield case(f"{name} = {shown if len(shown) < 40 else '10**400'}", _with(good, name, odd))
    for bare in _BARE.get(each.kind, ()):
        sent = json.dumps(_with(good, name, "@bare")).replace('"@bare"', bare)
        yield raw(f"{name} = bare {bare}", sent.encode())
    if each.limit is not None:
        for what, size in (("at its limit", each.limit), ("one over", each.limit + 1)):
            yield case(f"{name} {what}", _with(good, name, _sized(each, size)))
    last = name.rpartition(".")[2]
    if _camel(last) != last and _has(good, name):
        value = _at(good, name)
        camel = f"{name.removesuffix(last)}{_camel(last)}"
        yield case(f"{name} in camel case", _with(_without(good, name), camel, value))
        if not inside:
            yield case(f"{name} in both spellings", _with(good, camel, value))


def _sized(each: Field, size: int) -> Any:
    if each.filling == "$new":
        return "x" * (size - NEW_LENGTH) + "$new"
    if each.kind == TEXT:
        return each.filling * size
    return [json.loads(json.dumps(each.filling).replace("$i", str(i))) for i in range(size)]


def _pairs(given: Mapping[str, Any]) -> Iterator[str]:
    for name, value in given.items():
        for one in value if isinstance(value, list) else [value]:
            yield f"{name}={quote(_text_of(one), safe='$')}"


def _text_of(value: Any) -> str:
    if isinstance(value, list):
        return _text_of(value[0])
    return value if isinstance(value, str) else json.dumps(value)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _steps(path: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in path.split(".")]


def _at(body: Any, path: str) -> Any:
    for step in _steps(path):
        body = body[step]
    return body


def _has(body: Any, path: str) -> bool:
    try:
        _at(body, path)
    except (KeyError, IndexError):
        return False
    return True


def _with(body: Mapping[str, Any], path: str, value: Any) -> Any:
    changed = copy.deepcopy(dict(body))
    *way, last = _steps(path)
    inner: Any = changed
    for step in way:
        inner = inner[step]
    inner[last] = value
    return changed


def _without(body: Mapping[str, Any], path: str) -> Any:
    if not _has(body, path):
        return dict(body)
    changed = copy.deepcopy(dict(body))
    *way, last = _steps(path)
    inner: Any = changed
    for step in way:
        inner = inner[step]
    del inner[last]
    return changed
