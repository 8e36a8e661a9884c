"""MLflow's filter language for models and versions: comparisons joined by AND, read to conditions.

The grammar is that of `mlflow server`: `name LIKE 'a%' AND tags.stage = 'x'`. Like there, keys
may stand in back-ticks or quotes, values in single or double quotes, and an AND may be missing.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from libs.common.errors import Refusal, invalid

MAX_FILTER: Final = 100_000
_ENTITIES: Final = {"attribute": "attribute", "tag": "tag", "tags": "tag"}
_TOKEN: Final = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>--|/\*)
  | (?P<list>\((?:[^()'"]|'(?:''|\\.|[^'\\])*'|"(?:""|\\.|[^"\\])*")*\))
  | (?P<comparator>(?:NOT\s+)?(?:LIKE|ILIKE|RLIKE|IN)\b|IS\s+NOT\s+NULL\b|IS\s+NULL\b|[<>=!~]+)
  | (?P<and>AND\b)
  | (?P<identifier>(?:[^\W\d]\w*|`[^`]*`)(?:\.(?:[^\W\d]\w*|`[^`]*`|"[^"]*"|'[^']*'))*)
  | (?P<single>'(?:''|[^'])*')
  | (?P<double>"(?:""|[^"])*")
  | (?P<number>[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)
  | (?P<other>.)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_STRING: Final = re.compile(r"""'(?:''|\\.|[^'\\])*'|"(?:""|\\.|[^"\\])*\"""", re.DOTALL)
_LIST: Final = re.compile(
    rf"(?:{_STRING.pattern})(?:\s*,\s*(?:{_STRING.pattern}))*\s*,?", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison: of an attribute, or of the value of the tag `key`."""

    kind: Literal["attribute", "tag"]
    key: str
    comparator: str
    value: str | int | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What may be asked of an entity: its text and number attributes, and which take lists."""

    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    lists: tuple[str, ...]

    @property
    def keys(self) -> str:
        """All attributes, for a message."""
        return "{" + ", ".join(repr(key) for key in (*self.texts, *self.numbers)) + "}"


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


_TEXT_COMPARATORS: Final = ("=", "!=", "LIKE", "ILIKE")
_LIST_COMPARATORS: Final = ("IN", "NOT IN")
_NUMBER_COMPARATORS: Final = ("=", "!=", "<", "<=", ">", ">=")


def parse(text: str, vocabulary: Vocabulary) -> list[Condition]:
    """The conditions of a filter; raises a refusal where MLflow has one."""
    if not text:
        return []
    if len(text) > MAX_FILTER:
        raise invalid(f"'filter' exceeds the maximum length of {MAX_FILTER} characters")
    if not text.strip():
        raise invalid(f"Invalid filter '{text}'. Could not be parsed.")
    tokens = _tokens(text)
    return list(_conditions(tokens, vocabulary))


def _tokens(text: str) -> list[_Token]:
    tokens = []
    for found in _TOKEN.finditer(text):
        kind = str(found.lastgroup)
        if kind == "other" and found.group() == ";" and text[found.end() :].strip():
            raise invalid(
                f"Search filter contained multiple expression {text!r}. Provide AND-ed expression"
                " list."
            )
        if kind not in ("space", "and"):
            tokens.append(_Token(kind, found.group()))
    return tokens


def _conditions(tokens: list[_Token], vocabulary: Vocabulary) -> Iterator[Condition]:
    for start in range(0, len(tokens), 3):
        clause = tokens[start : start + 3]
        if len(clause) < 3 or clause[1].kind != "comparator":
            shown = ", ".join(token.text for token in clause)
            raise invalid(f"Invalid clause(s) in filter string: {shown}")
        left, comparator, right = clause
        if left.kind not in ("identifier", "double"):
            raise invalid(f"Invalid comparison clause. Expected 'Identifier' found '{left.text}'")
        kind, key = _identifier(left.text, vocabulary)
        word = " ".join(comparator.text.upper().split())
        yield _condition(kind, key, word, right, vocabulary)


def _identifier(text: str, vocabulary: Vocabulary) -> tuple[str, str]:
    entity, dot, key = text.partition(".")
    if not dot:
        entity, key = "attribute", text
    if entity not in _ENTITIES:
        raise invalid(f"Invalid entity type '{entity}'. Valid entity types are {tuple(_ENTITIES)}")
    kind = _ENTITIES[entity]
    if kind == "attribute" and key not in (*vocabulary.texts, *vocabulary.numbers):
        raise invalid(
            f"Invalid attribute key '{key}' specified. Valid keys are '{vocabulary.keys}'"
        )
    return kind, _unquoted(key, "'\"`")


def _condition(
    kind: str, key: str, comparator: str, right: _Token, vocabulary: Vocabulary
) -> Condition:
    if kind == "tag":
        value = _tag_value(right)
        if comparator not in _TEXT_COMPARATORS:
            raise invalid(f"Invalid comparator for tag: {comparator}")
        return Condition("tag", key, comparator, value)
    given = _attribute_value(key, right, vocabulary)
    if key in vocabulary.numbers:
        if comparator not in _NUMBER_COMPARATORS:
            raise invalid(f"Invalid comparator for attribute {key}: {comparator}")
        return Condition("attribute", key, comparator, _whole_number(key, given))
    _check_text_comparator(comparator, given, listed=key in vocabulary.lists)
    return Condition("attribute", key, comparator, given)


def _check_text_comparator(
    comparator: str, value: str | float | tuple[str, ...], *, listed: bool
) -> None:
    allowed: Collection[str] = _TEXT_COMPARATORS
    if listed and isinstance(value, tuple):
        allowed = _LIST_COMPARATORS
    if comparator not in allowed:
        raise invalid(f"Invalid comparator for attribute: {comparator}")


def _tag_value(token: _Token) -> str:
    if token.kind in ("single", "double"):
        return token.text[1:-1]
    if token.kind == "identifier":
        raise _not_quoted(token)
    raise invalid(
        f"Expected a quoted string value for tag (e.g. 'my-value'). Got value {token.text}"
    )


def _attribute_value(key: str, token: _Token, vocabulary: Vocabulary) -> str | tuple[str, ...]:
    if token.kind in ("single", "double"):
        return token.text[1:-1]
    if token.kind == "identifier":
        raise _not_quoted(token)
    if token.kind == "list":
        if key not in vocabulary.lists:
            raise invalid(
                f"Only {sorted(vocabulary.lists)} attributes support comparison with a list of"
                " quoted string values."
            )
        return _list(token.text)
    if token.kind == "number" and key in vocabulary.numbers:
        return token.text
    if token.kind == "number" and vocabulary.numbers:
        raise invalid(
            f"Only the '{vocabulary.numbers}' attributes support comparison with numeric values."
        )
    raise invalid(
        "Expected a quoted string value or a list of quoted string values for attributes. Got"
        f" value {token.text}"
    )


def _whole_number(key: str, given: str | tuple[str, ...]) -> int:
    try:
        return int(str(given))
    except ValueError:
        raise invalid(f"Invalid value for numeric attribute '{key}': {given!r}") from None


def _list(text: str) -> tuple[str, ...]:
    start = "While parsing a list in the query, expected "
    inside = text[1:-1].strip()
    if not inside:
        raise invalid(f"{start}a non-empty list of string values, but got empty list")
    if _LIST.fullmatch(inside):
        return tuple(found.group()[1:-1] for found in _STRING.finditer(inside))
    if _STRING.search(inside) is None:
        raise invalid(f"{start}a non-empty list of string values, but got ill-formed list.")
    raise invalid(
        f"{start}string value, punctuation, or whitespace, but got different type in list: {text}"
    )


def _not_quoted(token: _Token) -> Refusal:
    return invalid(
        "Parameter value is either not quoted or unidentified quote types used for string value"
        f" {token.text}. Use either single or double quotes."
    )


def _unquoted(text: str, quotes: str) -> str:
    for quote in quotes:
        if len(text) >= 2 and text[0] == text[-1] == quote:
            return text[1:-1]
    return text
