"""Tokens of MLflow's search language, which is cut into tokens as SQL is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Final


class Kind(IntEnum):
    """What a token is, or a group of tokens that stand for one thing."""

    SPACE = auto()
    NEWLINE = auto()
    COMMENT = auto()
    NAME = auto()
    PLACEHOLDER = auto()
    KEYWORD = auto()
    DIRECTION = auto()
    TEXT = auto()
    SYMBOL = auto()
    INTEGER = auto()
    FLOAT = auto()
    HEXADECIMAL = auto()
    COMPARATOR = auto()
    OPERATOR = auto()
    STAR = auto()
    MARK = auto()
    OTHER = auto()
    # Groups.
    REMARK = auto()
    BRACKETS = auto()
    PARENTHESIS = auto()
    FUNCTION = auto()
    IDENTIFIER = auto()
    OPERATION = auto()
    COMPARISON = auto()
    LIST = auto()


@dataclass(slots=True, eq=False)
class Token:
    """A token, or a group of tokens, of `source`; `parts` are told of comparisons only."""

    kind: Kind
    source: str
    start: int
    end: int
    parts: tuple["Token", ...] = ()

    @property
    def text(self) -> str:
        """The text as it was written."""
        return self.source[self.start : self.end]

    @property
    def blank(self) -> bool:
        """Whether it only keeps others apart."""
        return self.kind is Kind.SPACE or self.kind is Kind.NEWLINE

    def word(self, *words: str) -> bool:
        """Whether it is one of these keywords."""
        return self.kind is Kind.KEYWORD and self.text.upper() in words


# Those words of SQL that mean something between clauses, or that people try there. MLflow's parser
# knows nine hundred; the others are names here.
KEYWORDS: Final = frozenset(
    {
        *("ALL", "AND", "ANY", "BEGIN", "BETWEEN", "BY", "CASE", "CREATE", "CROSS", "DELETE"),
        *("DISTINCT", "DROP", "ELSE", "END", "EXCEPT", "EXISTS", "FALSE", "FOR", "FULL", "GO"),
        *("GROUP", "HAVING", "IF", "INNER", "INSERT", "INTERSECT", "INTO", "IS", "ISNULL"),
        *("JOIN", "LEFT", "LIMIT", "NATURAL", "NOT", "NULL", "OFFSET", "ON", "OR", "ORDER"),
        *("OUTER", "PARAMETER", "PARAMETERS", "RIGHT", "SELECT", "SET", "SIMILAR", "TABLE"),
        *("THEN", "TIMESTAMP", "TO", "TRUE", "UNION", "UPDATE", "WHEN", "WHERE", "WITH"),
    }
)
# The order of the alternatives is what makes it the same language: a word before a point is a name
# whatever it says, a number may start with its point, a comment ends only where its line does.
_TOKEN: Final = re.compile(
    r"""
      (?P<COMMENT>(?:--|\#[ ]).*?(?:\r\n|\r|\n|$))
    | (?P<COMMENT_START>/(?=\*))
    | (?P<NEWLINE>\r\n|\r|\n)
    | (?P<SPACE>\s)
    | (?P<OTHER>:=|\\\w+)
    | (?P<STAR>\*)
    | (?P<NAME>`(?:``|[^`])*`|´(?:´´|[^´])*´|(?:@|\#\#|\#)[A-ZÀ-Ü]\w+)
    | (?P<PLACEHOLDER>\?|%(?:\(\w+\))?s|(?<!\w)(?!::)[$:]\w+)
    | (?P<KEYWORD>(?:CASE|IN|VALUES|USING|FROM|AS)\b)
    | (?P<WORD_BESIDE_MARK>[A-ZÀ-Ü]\w*(?=\s*\.(?!\d))|(?<=\.)[A-ZÀ-Ü]\w*|[A-ZÀ-Ü]\w*(?=\())
    | (?P<HEXADECIMAL>-?0x[\dA-F]+)
    | (?P<FLOAT>-?\d+(?:\.\d+)?E-?\d+|-?(?:\d+\.\d*|\.\d+)(?![_A-ZÀ-Ü]))
    | (?P<INTEGER>-?\d+(?![_A-ZÀ-Ü]))
    | (?P<TEXT>'(?:''|\\'|[^'])*')
    | (?P<SYMBOL>"(?:""|\\"|[^"])*")
    | (?P<BRACKETED>(?<![\w\])])\[[^\]\[]+\])
    | (?P<WORDS>NOT\s+NULL\b|(?:ORDER|GROUP)\s+BY\b)
    | (?P<DIRECTION>(?:ASC|DESC)(?:\s+NULLS\s+(?:FIRST|LAST))?\b)
    | (?P<COMPARATOR>(?:NOT\s+)?(?:LIKE|ILIKE|RLIKE|REGEXP(?:\s+BINARY)?)\b)
    | (?P<WORD>\w[$\#\w]*)
    | (?P<MARK>::|[;:()\[\],.])
    | (?P<OPERATOR>->>?|\#>>?|@>|<@|\#-)
    | (?P<SIGNS>[<>=~!]+)
    | (?P<OPERATOR_SIGNS>[-+/@\#%^&|]+)
    | (?P<STRANGE>.)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_KIND_OF: Final = {
    **{kind.name: kind for kind in Kind},
    "WORD_BESIDE_MARK": Kind.NAME,
    "BRACKETED": Kind.NAME,
    "WORDS": Kind.KEYWORD,
    "SIGNS": Kind.COMPARATOR,
    "OPERATOR_SIGNS": Kind.OPERATOR,
    "STRANGE": Kind.OTHER,
}


def tokens_of(text: str) -> Iterator[Token]:
    """The tokens of a text; every character of it belongs to one."""
    place = 0
    # Behind it nothing ends a comment: that is looked for once, however many begin.
    last_end = text.rfind("*/")
    while place < len(text):
        found = _TOKEN.match(text, place)
        assert found is not None
        group, end = found.lastgroup or "", found.end()
        kind = _KIND_OF.get(group)
        if kind is None:
            kind, end = _by_itself(text, found, last_end)
        yield Token(kind, text, place, end)
        place = end


def _by_itself(text: str, found: re.Match[str], last_end: int) -> tuple[Kind, int]:
    """The kind and the end of what its group does not tell: a word, and a comment that may not end."""
    start, end = found.span()
    if found.lastgroup == "WORD":
        return Kind.KEYWORD if found.group().upper() in KEYWORDS else Kind.NAME, end
    if last_end < start + 2:
        return Kind.OPERATOR, end
    return Kind.COMMENT, text.index("*/", start + 2) + 2
