"""What a clause may be compared with: texts, numbers and lists of texts."""

import ast
import warnings
from collections.abc import Iterable
from typing import Final

from libs.common.errors import Refusal, invalid
from libs.common.filters.tokens import Kind, Token

_NUMBERS: Final = (Kind.INTEGER, Kind.FLOAT)
_TEXTS: Final = (Kind.TEXT, Kind.IDENTIFIER)
_LIST: Final = "While parsing a list in the query, expected "


def told(words: Iterable[str]) -> str:
    """Words as MLflow tells a set of them."""
    return "{" + ", ".join(map(repr, sorted(words))) + "}"


def unticked(text: str) -> str:
    """A name without the back-ticks around it."""
    return text[1:-1] if _is_quoted(text, "`") else text


def unquoted(text: str) -> str:
    """A name without the quotes around it, then without the back-ticks."""
    if _is_quoted(text, "'") or _is_quoted(text, '"'):
        text = text[1:-1]
    return unticked(text)


def is_number(token: Token) -> bool:
    """Whether a number was written."""
    return token.kind in _NUMBERS


def is_text(token: Token) -> bool:
    """Whether a text was written, or a name that may turn out to be one in double quotes."""
    return token.kind in _TEXTS


def is_list(token: Token) -> bool:
    """Whether a value was written in parentheses."""
    return token.kind is Kind.PARENTHESIS


def number(token: Token, refusal: str) -> int | float:
    """A number; `refusal` is said of what is none, or has more digits than are read."""
    if is_number(token):
        try:
            return int(token.text) if token.kind is Kind.INTEGER else float(token.text)
        except ValueError:
            pass
    raise invalid(f"{refusal}. Found {token.text}")


def text(token: Token, refusal: str) -> str:
    """A quoted text as it stands between its quotes; `refusal` is said of what could not be one."""
    if not is_text(token):
        raise invalid(f"{refusal}. Got value {token.text}")
    if _is_quoted(token.text, "'") or _is_quoted(token.text, '"'):
        return token.text[1:-1]
    raise invalid(
        "Parameter value is either not quoted or unidentified quote types used for string value"
        f" {token.text}. Use either single or double quotes."
    )


def texts(token: Token) -> tuple[str, ...]:
    """The texts of a list in parentheses."""
    items = literal(token.text)
    if not items:
        raise invalid(f"{_LIST}a non-empty list of string values, but got empty list")
    found = tuple(item for item in items if isinstance(item, str))
    if len(found) < len(items):
        raise invalid(
            f"{_LIST}string value, punctuation, or whitespace, but got different type in list:"
            f" {items}"
        )
    return found


def literal(text: str) -> tuple[object, ...]:
    """The items of a list as MLflow reads it, which is as Python reads a tuple of literals."""
    try:
        with warnings.catch_warnings():
            # An escape that Python does not know stands for itself; it need not be told.
            warnings.simplefilter("ignore")
            found = ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        raise _ill_formed() from None
    return found if isinstance(found, tuple) else (found,)


def _ill_formed() -> Refusal:
    return invalid(f"{_LIST}a non-empty list of string values, but got ill-formed list.")


def _is_quoted(text: str, quote: str) -> bool:
    return len(text) >= 2 and text[0] == text[-1] == quote


def pattern(text: str) -> str:
    r"""A pattern of LIKE as PostgreSQL takes it: `\` makes the next character stand for itself.

    One at the end stands for itself, where PostgreSQL would refuse the statement.
    """
    escapes = len(text) - len(text.rstrip("\\"))
    return text + "\\" if escapes % 2 else text
