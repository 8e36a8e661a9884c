"""What a clause may be compared with: texts, numbers and lists of texts."""

from libs.common.errors import invalid
from services.tracking.model.filters.clauses import unquoted
from services.tracking.model.filters.tokens import Kind, Token

_NUMBERS = (Kind.INTEGER, Kind.FLOAT)
_NAMES = (Kind.WORD, Kind.TICKED)
_TEXTS = (Kind.TEXT, Kind.QUOTED)


def is_list(value: tuple[Token, ...]) -> bool:
    """Whether a value was written in parentheses."""
    return len(value) > 1


def written(value: tuple[Token, ...]) -> str:
    """A value as it was written, for a refusal."""
    return "".join(token.text for token in value)


def number(value: tuple[Token, ...], what: str) -> int | float:
    """A number; `what` names the thing that wants one."""
    if is_list(value) or value[0].kind not in _NUMBERS:
        raise invalid(f"Expected numeric value type for {what}. Found {written(value)}")
    text = value[0].text
    return int(text) if value[0].kind is Kind.INTEGER else float(text)


def text(value: tuple[Token, ...], refusal: str) -> str:
    """A quoted text; `refusal` is said of what could not be one."""
    token = value[0]
    if is_list(value) or token.kind not in (*_TEXTS, *_NAMES):
        raise invalid(f"{refusal}. Got value {written(value)}")
    if token.kind in _NAMES:
        raise invalid(
            "Parameter value is either not quoted or unidentified quote types used for string"
            f" value {token.text}. Use either single or double quotes."
        )
    return unquoted(token.text)


def texts(value: tuple[Token, ...]) -> tuple[str, ...]:
    """The texts of a list in parentheses."""
    inner = value[1:-1]
    if not inner:
        raise invalid(
            "While parsing a list in the query, expected a non-empty list of string values, but"
            " got empty list"
        )
    for position, token in enumerate(inner):
        wanted = token.kind in _TEXTS if position % 2 == 0 else token.text == ","
        if not wanted:
            raise invalid(
                "While parsing a list in the query, expected string value, punctuation, or"
                f" whitespace, but got different type in list: {written(value)}"
            )
    return tuple(unquoted(token.text) for token in inner[::2])
