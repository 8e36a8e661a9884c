"""The clauses of a filter and the identifier of an order, before anybody knows what they mean."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from libs.common.errors import Refusal, invalid
from libs.common.filters.groups import TooMuchError, grouped
from libs.common.filters.tokens import Kind, Token, tokens_of

PRESENCE: Final = ("IS NULL", "IS NOT NULL")
LISTS: Final = ("IN", "NOT IN")
_SIDES: Final = 3
# A type in SQL and no name, but what models may be ordered by.
_TIME: Final = "timestamp"


class NoStatementError(Exception):
    """A text that holds nothing but blanks."""


class SeveralStatementsError(Exception):
    """A text of more than one statement."""


@dataclass(frozen=True, slots=True)
class Written:
    """A clause as it was written: two sides and a comparator; no right one for IS [NOT] NULL.

    `size` counts its parts: three, unless a remark stands at its end.
    """

    text: str
    left: Token
    comparator: str
    right: Token | None
    size: int = _SIDES


def read(text: str) -> list[Token]:
    """The groups of the one statement in a text; raises one of the errors of this package."""
    tokens = list(tokens_of(text))
    if all(token.blank for token in tokens):
        raise NoStatementError
    if _several(tokens):
        raise SeveralStatementsError
    return grouped(tokens)


def clauses_of(statement: Sequence[Token]) -> Iterator[Written | Token]:
    """The clauses of a statement without the ANDs, and whatever stands where none should."""
    tokens = [token for token in statement if not token.blank]
    place = 0
    while place < len(tokens):
        found, taken = _clause(tokens[place : place + 4])
        place += taken
        for item in found:
            if isinstance(item, Written) or not item.word("AND"):
                yield item


def written_clauses(text: str, *, shown: str = "'{}'") -> list[Written]:
    """The clauses of a filter; refuses what is none. `shown` is how a refusal quotes a stranger."""
    if not text:
        return []
    found = list(clauses_of(_statement(text)))
    strangers = [shown.format(item.text) for item in found if isinstance(item, Token)]
    if strangers:
        raise invalid(f"Invalid clause(s) in filter string: {', '.join(strangers)}")
    return [item for item in found if isinstance(item, Written)]


def check_sides(clause: Written) -> None:
    """Refuse a clause that does not compare an identifier with one value."""
    if clause.size != _SIDES:
        raise invalid(f"Invalid comparison clause. Expected 3 tokens found {clause.size}")
    if clause.left.kind is not Kind.IDENTIFIER:
        raise invalid(
            f"Invalid comparison clause. Expected 'Identifier' found '{clause.left.text}'"
        )


def written_order(text: str) -> tuple[str, bool]:
    """The identifier of an order, and whether it ascends; refuses what is no order."""
    try:
        statement = read(text)
    except TooMuchError:
        raise invalid(f"Error on parsing order_by clause '{text}'") from None
    except (NoStatementError, SeveralStatementsError):
        raise _no_order(text) from None
    identifier = _ordered(statement)
    if identifier is None:
        raise _no_order(text)
    try:
        words = shlex.split(identifier.replace("`", '"'))
    except ValueError:
        raise _no_order(text) from None
    if len(words) == 1:
        return identifier.strip(), True
    if len(words) != 2:
        raise _no_order(text)
    if words[1].lower() not in ("asc", "desc"):
        raise invalid(f"Invalid ordering key in order_by clause '{text}'.")
    return words[0].strip(), words[1].lower() == "asc"


def _ordered(statement: Sequence[Token]) -> str | None:
    """What an order is by, with its direction; None where it is by nothing."""
    first, *others = statement
    if not others and first.kind is Kind.IDENTIFIER:
        return first.text
    if first.text == _TIME and not others:
        return _TIME
    if first.text == _TIME and others[-1].kind is Kind.DIRECTION:
        *between, last = others
        return f"{_TIME} {last.text}" if all(token.blank for token in between) else None
    return None


def _statement(text: str) -> list[Token]:
    try:
        return read(text)
    except TooMuchError:
        raise invalid(f"Error on parsing filter '{text}'") from None
    except NoStatementError:
        raise invalid(f"Invalid filter '{text}'. Could not be parsed.") from None
    except SeveralStatementsError:
        raise invalid(
            f"Search filter contained multiple expression {text!r}. Provide AND-ed expression list."
        ) from None


def _no_order(text: str) -> Refusal:
    return invalid(f"Invalid order_by clause '{text}'. Could not be parsed.")


def _several(tokens: Sequence[Token]) -> bool:
    """Whether anything follows a semicolon that no parenthesis holds."""
    level = 0
    ended = False
    for token in tokens:
        if ended and not token.blank and token.kind is not Kind.COMMENT:
            return True
        if token.kind is Kind.MARK:
            level += (token.text == "(") - (token.text == ")")
            ended = ended or (token.text == ";" and level <= 0)
    return False


def _clause(tokens: Sequence[Token]) -> tuple[Sequence[Written | Token], int]:
    """What the first of these tokens begins, and how many tokens that is."""
    first, *others = tokens
    if first.kind is Kind.COMPARISON:
        left, comparator, right = first.parts[:_SIDES]
        return [Written(first.text, left, comparator.text, right, len(first.parts))], 1
    if first.kind is not Kind.IDENTIFIER or len(others) < 2:
        return [first], 1
    second, third, *rest = others
    if second.word("IN") and third.kind is Kind.PARENTHESIS:
        return [_written(first, second.text, third)], 3
    if second.word("IS") and third.word("NULL", "NOT NULL"):
        return [_written(first, f"IS {third.text.upper()}", None)], 3
    if second.word("NOT") and third.word("IN") and rest and rest[0].kind is Kind.PARENTHESIS:
        return [_written(first, "NOT IN", rest[0])], 4
    # Nothing among these four is looked at again: MLflow's refusal names them one by one.
    return [_alone(token) for token in tokens], len(tokens)


def _alone(token: Token) -> Written | Token:
    return _clause([token])[0][0]


def _written(left: Token, comparator: str, right: Token | None) -> Written:
    return Written(f"{left.text}{comparator}{right.text if right else ''}", left, comparator, right)
