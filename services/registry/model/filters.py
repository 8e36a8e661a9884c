"""MLflow's filter language for models and versions: comparisons joined by AND, read to conditions.

The grammar is that of `mlflow server`: `name LIKE 'a%' AND tags.stage = 'x'`. Like there, keys
may stand in back-ticks or quotes, values in single or double quotes, and an AND may be missing.
"""

from dataclasses import dataclass
from typing import Final, Literal

from libs.common.errors import invalid
from libs.common.filters import values
from libs.common.filters.clauses import LISTS, Written, check_sides, written_clauses
from libs.common.filters.tokens import Token
from libs.common.filters.values import told

MAX_FILTER: Final = 100_000
_ENTITIES: Final = ("attribute", "tag", "tags")
_TEXT_COMPARATORS: Final = ("=", "!=", "LIKE", "ILIKE")
_NUMBER_COMPARATORS: Final = ("=", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison: of an attribute, or of the value of the tag `key`."""

    kind: Literal["attribute", "tag"]
    key: str
    comparator: str
    value: str | int | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What may be asked of an entity: its text and number attributes, and which take lists.

    `times` are those of its numbers that it may be ordered by and not searched for.
    """

    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    lists: tuple[str, ...]
    times: tuple[str, ...] = ()

    @property
    def keys(self) -> str:
        """All attributes, for a message."""
        return told(self.texts + self.numbers)


def parse(text: str, vocabulary: Vocabulary) -> list[Condition]:
    """The conditions of a filter; raises a refusal where MLflow has one."""
    if len(text) > MAX_FILTER:
        raise invalid(f"'filter' exceeds the maximum length of {MAX_FILTER} characters")
    read = [_read(written, vocabulary) for written in written_clauses(text, shown="{}")]
    return [_condition(*clause, vocabulary) for clause in read]


def _read(
    written: Written, vocabulary: Vocabulary
) -> tuple[str, str, str, str | float | tuple[str, ...]]:
    check_sides(written)
    if written.right is None:
        raise invalid(f"Invalid comparison clause. Expected 3 tokens found 2: '{written.text}'")
    kind, key = _identified(written.left.text, vocabulary)
    value = _tag_value(written.right) if kind == "tag" else _value(key, written.right, vocabulary)
    return kind, key, written.comparator.upper(), value


def entity_and_key(identifier: str) -> tuple[Literal["attribute", "tag"], str]:
    """What an identifier names, its key as it was written; refuses other entities."""
    entity, dot, key = identifier.partition(".")
    if not dot:
        return "attribute", identifier
    if entity not in _ENTITIES:
        raise invalid(f"Invalid entity type '{entity}'. Valid entity types are {_ENTITIES}")
    return "attribute" if entity == "attribute" else "tag", key


def _identified(identifier: str, vocabulary: Vocabulary) -> tuple[Literal["attribute", "tag"], str]:
    kind, key = entity_and_key(identifier)
    if kind == "attribute" and key not in (*vocabulary.texts, *vocabulary.numbers):
        raise invalid(
            f"Invalid attribute key '{key}' specified. Valid keys are '{vocabulary.keys}'"
        )
    return kind, values.unquoted(key)


def _condition(
    kind: str,
    key: str,
    comparator: str,
    value: str | float | tuple[str, ...],
    vocabulary: Vocabulary,
) -> Condition:
    if kind == "tag":
        if comparator not in _TEXT_COMPARATORS:
            raise invalid(f"Invalid comparator for tag: {comparator}")
        return Condition("tag", key, comparator, str(value))
    if key in vocabulary.numbers:
        if comparator not in _NUMBER_COMPARATORS:
            raise invalid(f"Invalid comparator for attribute {key}: {comparator}")
        return Condition("attribute", key, comparator, _whole_number(key, value))
    # MLflow's parser lets a list pass anywhere, and its database refuses the statement.
    allowed = LISTS if isinstance(value, tuple) else _TEXT_COMPARATORS
    if comparator not in allowed:
        raise invalid(f"Invalid comparator for attribute: {comparator}")
    return Condition(
        "attribute", key, comparator, value if isinstance(value, tuple) else str(value)
    )


def _tag_value(token: Token) -> str:
    return values.text(token, "Expected a quoted string value for tag (e.g. 'my-value')")


def _value(key: str, token: Token, vocabulary: Vocabulary) -> str | float | tuple[str, ...]:
    if values.is_list(token):
        if key not in vocabulary.lists:
            raise invalid(
                f"Only {sorted(vocabulary.lists)} attributes support comparison with a list of"
                " quoted string values."
            )
        return values.texts(token)
    refusal = "Expected a quoted string value or a list of quoted string values for attributes"
    if values.is_number(token) and vocabulary.numbers:
        if key not in vocabulary.numbers:
            numbers = told(vocabulary.numbers + vocabulary.times)
            raise invalid(
                f"Only the '{numbers}' attributes support comparison with numeric values."
            )
        return values.number(token, f"Invalid value for numeric attribute '{key}'")
    return values.text(token, refusal)


def _whole_number(key: str, given: str | float | tuple[str, ...]) -> int:
    if not isinstance(given, float | tuple):
        try:
            return int(given)
        except ValueError:
            pass
    raise invalid(f"Invalid value for numeric attribute '{key}': {given!r}")
