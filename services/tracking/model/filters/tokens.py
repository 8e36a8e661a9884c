"""Tokens of the search language: words, quoted texts, numbers, comparators and punctuation."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from libs.common.errors import invalid


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    TEXT = "text"
    QUOTED = "quoted"
    TICKED = "ticked"
    INTEGER = "integer"
    FLOAT = "float"
    COMPARATOR = "comparator"
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Token:
    """One token with the text it was written as; `joined` when nothing stands before it."""

    kind: Kind
    text: str
    joined: bool

    @property
    def upper(self) -> str:
        """The text in capitals, to compare with keywords."""
        return self.text.upper()


# `''` and `\'` inside a text are kept as they are written, as MLflow keeps them.
_TOKEN: Final = re.compile(
    r"""(?P<space>\s*)(?:
        (?P<text>'(?:''|\\'|[^'])*')
      | (?P<quoted>"(?:""|\\"|[^"])*")
      | (?P<ticked>`(?:``|[^`])*`)
      | (?P<float>-?(?:\d+(?:\.\d+)?[eE]-?\d+|(?:\d+\.\d*|(?<!\w)\.\d+))(?!\w))
      | (?P<integer>-?\d+(?!\w))
      | (?P<word>\w+)
      | (?P<comparator>[<>=~!]+)
      | (?P<mark>.)
    )""",
    re.VERBOSE | re.DOTALL,
)


def tokens_of(text: str) -> list[Token]:
    """The tokens of a filter or an order; whatever is no token becomes a mark of one character."""
    found: list[Token] = []
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise invalid(f"Error on parsing filter '{text}'")
        kind = Kind(match.lastgroup)
        joined = not match["space"] and position > 0
        found.append(Token(kind, match[match.lastgroup], joined))
        position = match.end()
    return found
