"""The grammar of the search language: clauses joined by AND, and orders."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from libs.common.errors import invalid
from services.tracking.model.filters.tokens import Kind, Token, tokens_of

PRESENCE: Final = ("IS NULL", "IS NOT NULL")
LISTS: Final = ("IN", "NOT IN")
_WORD_COMPARATORS: Final = ("LIKE", "ILIKE", "RLIKE")


@dataclass(frozen=True, slots=True)
class Clause:
    """`<kind>.<key> <comparator> <value>`; the comparator in capitals.

    The value is a text, a number, or a tuple of texts for IN and NOT IN; None for IS [NOT] NULL.
    """

    kind: str
    key: str
    comparator: str
    value: str | int | float | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Order:
    """`<kind>.<key>` ascending or descending."""

    kind: str
    key: str
    ascending: bool


@dataclass(frozen=True, slots=True)
class Written:
    """A clause as it was written, before anybody knows what its identifier means."""

    identifier: str
    comparator: str
    value: tuple[Token, ...]


def written_clauses(text: str) -> Iterator[Written]:
    """The clauses of a filter in their order; refuses what is none."""
    reader = _Reader(text)
    while reader.skip_and():
        yield reader.clause()
        if not reader.at_and_or_end():
            raise invalid(f"Invalid clause(s) in filter string: '{reader.left()[0].text}'")


def written_order(text: str) -> tuple[str, bool]:
    """The identifier of an order, and whether it ascends; refuses what is no order."""
    reader = _Reader(text)
    identifier = reader.identifier()
    rest = reader.left()
    if identifier is None or len(rest) > 1:
        raise invalid(f"Invalid order_by clause '{text}'. Could not be parsed.")
    if rest and rest[0].upper not in ("ASC", "DESC"):
        raise invalid(f"Invalid ordering key in order_by clause '{text}'.")
    return identifier, not rest or rest[0].upper == "ASC"


def split_identifier(identifier: str) -> tuple[str | None, str]:
    """The entity before the first point, None without one, and the key, both without quotes."""
    entity, point, key = identifier.partition(".")
    if not point:
        return None, unquoted(entity)
    return entity.strip("`") if entity.startswith("`") else entity, unquoted(key)


def unquoted(text: str) -> str:
    """A name or text without the quotes or back-ticks around it."""
    for quote in ("'", '"', "`"):
        if len(text) >= 2 and text.startswith(quote) and text.endswith(quote):
            return text[1:-1]
    return text


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens_of(text)
        self._at = 0

    def left(self) -> list[Token]:
        """What was not read yet."""
        return self._tokens[self._at :]

    def rest(self) -> str:
        """What was not read yet, as it was written, apart from spaces."""
        return " ".join(token.text for token in self.left())

    def at_and_or_end(self) -> bool:
        """Whether a clause may end here."""
        return self._at == len(self._tokens) or self._tokens[self._at].upper == "AND"

    def skip_and(self) -> bool:
        """Pass over ANDs; False at the end."""
        while self._at < len(self._tokens) and self._tokens[self._at].upper == "AND":
            self._at += 1
        return self._at < len(self._tokens)

    def clause(self) -> Written:
        """An identifier, a comparator and what it is compared with."""
        identifier = self.identifier()
        if identifier is None:
            raise invalid(f"Invalid clause(s) in filter string: '{self.rest()}'")
        comparator = self._comparator()
        if comparator in PRESENCE:
            return Written(identifier, comparator, ())
        return Written(identifier, comparator, tuple(self._value()))

    def identifier(self) -> str | None:
        """A name, its parts joined by points without spaces; None where there is none."""
        if not self._is(Kind.WORD, Kind.TICKED, Kind.QUOTED):
            return None
        parts = [self._take().text]
        while self._is_mark(".") and self._tokens[self._at].joined:
            part = self._tokens[self._at + 1] if self._at + 1 < len(self._tokens) else None
            if part is None or part.kind not in _PART or not part.joined:
                return None
            parts.append(f".{part.text}")
            self._at += 2
        return "".join(parts)

    def _comparator(self) -> str:
        if self._is(Kind.COMPARATOR) or self._upper() in _WORD_COMPARATORS:
            return self._take().upper
        for words in (("IS", "NOT", "NULL"), ("IS", "NULL"), ("NOT", "IN"), ("IN",)):
            found = tuple(token.upper for token in self.left()[: len(words)])
            if found == words:
                self._at += len(words)
                return " ".join(words)
        raise invalid(f"Invalid clause(s) in filter string: '{self.rest()}'")

    def _value(self) -> Iterator[Token]:
        if not self._is_mark("("):
            if self._at == len(self._tokens) or self._is(Kind.COMPARATOR, Kind.MARK):
                raise invalid("Invalid comparison clause. Expected 3 tokens found 2")
            yield self._take()
            return
        while True:
            if self._at == len(self._tokens):
                raise invalid(
                    "While parsing a list in the query, expected a non-empty list of string"
                    " values, but got ill-formed list."
                )
            token = self._take()
            yield token
            if token.kind is Kind.MARK and token.text == ")":
                return

    def _take(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _upper(self) -> str:
        return self._tokens[self._at].upper if self._at < len(self._tokens) else ""

    def _is(self, *kinds: Kind) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at].kind in kinds

    def _is_mark(self, mark: str) -> bool:
        return self._is(Kind.MARK) and self._tokens[self._at].text == mark


_PART: Final = (Kind.WORD, Kind.TICKED, Kind.QUOTED, Kind.INTEGER)
