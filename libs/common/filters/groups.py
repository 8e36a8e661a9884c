"""Groups tokens as SQL does: `a.b`, `f(x)`, `(…)`, `a = b`; each pass joins one kind of group.

MLflow reads filters with a parser of SQL that takes almost anything and groups what it can. What a
filter means, and whether it is one, follows from that grouping, so it is done here in its order.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from libs.common.filters.tokens import Kind, Token

MOST_TOKENS: Final = 10_000
DEEPEST: Final = 100
Test = Callable[[Token], bool]
_NUMBERS: Final = frozenset({Kind.INTEGER, Kind.FLOAT})
_WORDS: Final = frozenset({Kind.NAME, Kind.SYMBOL})
_LEAVES: Final = _NUMBERS | _WORDS | {Kind.PLACEHOLDER, Kind.TEXT}
_OPERANDS: Final = _LEAVES | {
    *(Kind.BRACKETS, Kind.PARENTHESIS, Kind.FUNCTION, Kind.IDENTIFIER, Kind.OPERATION),
}
_COMPARED: Final = _OPERANDS - {Kind.BRACKETS}
_AFTER_POINT: Final = _WORDS | {Kind.STAR, Kind.TEXT, Kind.BRACKETS, Kind.FUNCTION}
_GROUPS: Final = frozenset(
    {
        *(Kind.BRACKETS, Kind.PARENTHESIS, Kind.FUNCTION),
        *(Kind.IDENTIFIER, Kind.OPERATION, Kind.COMPARISON),
    }
)
_LISTED: Final = _LEAVES | {
    *(Kind.FUNCTION, Kind.IDENTIFIER, Kind.OPERATION, Kind.COMPARISON, Kind.LIST),
    *(Kind.KEYWORD, Kind.STAR),
}
_NAMED: Final = _NUMBERS | {
    *(Kind.HEXADECIMAL, Kind.PARENTHESIS, Kind.FUNCTION),
    *(Kind.IDENTIFIER, Kind.OPERATION, Kind.COMPARISON),
}


class TooMuchError(Exception):
    """A text of more tokens, or deeper parentheses, than are read."""


def grouped(tokens: Sequence[Token]) -> list[Token]:
    """The tokens of a statement in groups, blanks included; raises TooMuchError."""
    found = _remarks(tokens)
    if len(found) > MOST_TOKENS:
        raise TooMuchError
    kinds = {token.kind for token in found}
    marked = Kind.MARK in kinds
    if marked:
        found = _matched(found, Kind.BRACKETS, "[]")
        found = _matched(found, Kind.PARENTHESIS, "()")
        found = _followed(found, Kind.FUNCTION, _of(Kind.NAME, Kind.PLACEHOLDER), _PARENTHESIS)
    if marked or Kind.OPERATOR in kinds:
        found = _joined(found, Kind.IDENTIFIER, _point, _before_point, _after_point)
        found = _joined(found, Kind.IDENTIFIER, _of(Kind.BRACKETS), _indexed, None)
    found = [_group(Kind.IDENTIFIER, [t]) if t.kind in _WORDS else t for t in found]
    if Kind.DIRECTION in kinds:
        found = _directed(found)
    if marked:
        found = _joined(found, Kind.IDENTIFIER, _cast, _anything, _anything)
    if Kind.OPERATOR in kinds or Kind.STAR in kinds:
        found = _joined(found, Kind.OPERATION, _operator, _operand, _operand)
    found = _joined(found, Kind.COMPARISON, _comparator, _compared, _compared)
    if Kind.KEYWORD in kinds:
        found = _joined(found, Kind.IDENTIFIER, _as, _not_keyword, _anything)
    found = _followed(found, Kind.IDENTIFIER, _named, _identifier)
    if marked:
        found = _joined(found, Kind.LIST, _comma, _listed, _listed)
    return _with_remarks(found) if Kind.COMMENT in kinds or Kind.REMARK in kinds else found


def _of(*kinds: Kind) -> Test:
    wanted = frozenset(kinds)
    return lambda token: token.kind in wanted


_PARENTHESIS: Final = _of(Kind.PARENTHESIS)
_before_point: Final = _of(Kind.BRACKETS, Kind.IDENTIFIER, *_WORDS)
_after_point: Final = _of(*_AFTER_POINT)
_indexed: Final = _of(Kind.BRACKETS, Kind.IDENTIFIER, Kind.FUNCTION, *_WORDS)
_operator: Final = _of(Kind.OPERATOR, Kind.STAR)
_operand: Final = _of(*_OPERANDS)
_comparator: Final = _of(Kind.COMPARATOR)
_named: Final = _of(*_NAMED)
_identifier: Final = _of(Kind.IDENTIFIER)
_listed: Final = _of(*_LISTED)


def _anything(_token: Token) -> bool:
    return True


def _point(token: Token) -> bool:
    return (token.kind is Kind.MARK and token.text == ".") or (
        token.kind is Kind.OPERATOR and token.text in ("->", "->>")
    )


def _cast(token: Token) -> bool:
    return token.kind is Kind.MARK and token.text == "::"


def _comma(token: Token) -> bool:
    return token.kind is Kind.MARK and token.text == ","


def _as(token: Token) -> bool:
    return token.word("AS")


def _not_keyword(token: Token) -> bool:
    return token.kind not in (Kind.KEYWORD, Kind.DIRECTION) or token.word("NULL")


def _compared(token: Token) -> bool:
    return token.kind in _COMPARED or token.word("NULL")


def _next(tokens: Sequence[Token], place: int) -> int | None:
    for position in range(place + 1, len(tokens)):
        if not tokens[position].blank:
            return position
    return None


def _group(kind: Kind, tokens: Sequence[Token]) -> Token:
    parts: tuple[Token, ...] = ()
    if kind is Kind.COMPARISON:
        parts = tuple(token for token in tokens if not token.blank)
    return Token(kind, tokens[0].source, tokens[0].start, tokens[-1].end, parts)


def _joined(
    tokens: list[Token], kind: Kind, joint: Test, before: Test, after: Test | None
) -> list[Token]:
    """Groups of what stands before and after a joint; `after` None where nothing need follow.

    A point joins what stands before it also when nothing fit follows.
    """
    found: list[Token] = []
    # Where the last token that is no blank lies, and what it was before it went into a group.
    place = 0
    last: Token | None = None
    position = 0
    while position < len(tokens):
        token = tokens[position]
        if token.blank:
            found.append(token)
            position += 1
            continue
        end: int | None = None
        if last is not None and joint(token) and before(last):
            end = _end_of_joint(tokens, position, after, alone=joint is _point)
        if end is not None:
            group = _group(kind, [*found[place:], *tokens[position : end + 1]])
            found[place:] = [group]
            last = tokens[end] if end > position else group
            position = end + 1
            continue
        place, last = len(found), token
        found.append(token)
        position += 1
    return found


def _end_of_joint(
    tokens: list[Token], position: int, after: Test | None, *, alone: bool
) -> int | None:
    if after is None:
        return position
    following = _next(tokens, position)
    if following is not None and after(tokens[following]):
        return following
    return position if alone else None


def _matched(tokens: list[Token], kind: Kind, marks: str) -> list[Token]:
    """Groups of what stands between two marks, the innermost first."""
    found: list[Token] = []
    opened: list[int] = []
    for token in tokens:
        found.append(token)
        if token.kind is not Kind.MARK:
            continue
        if token.text == marks[0]:
            opened.append(len(found) - 1)
            if len(opened) > DEEPEST:
                raise TooMuchError
        elif token.text == marks[1] and opened:
            start = opened.pop()
            found[start:] = [_group(kind, found[start:])]
    return found


def _followed(tokens: list[Token], kind: Kind, first: Test, second: Test) -> list[Token]:
    """Groups of two neighbours."""
    found: list[Token] = []
    position = 0
    while position < len(tokens):
        token = tokens[position]
        following = _next(tokens, position) if first(token) else None
        if following is not None and second(tokens[following]):
            found.append(_group(kind, tokens[position : following + 1]))
            position = following + 1
        else:
            found.append(token)
            position += 1
    return found


def _directed(tokens: list[Token]) -> list[Token]:
    """Groups of an identifier or number and ASC or DESC after it, however many of these."""
    found: list[Token] = []
    for token in tokens:
        place = _last(found) if token.kind is Kind.DIRECTION else None
        if place is not None and (
            found[place].kind is Kind.IDENTIFIER
            or found[place].kind in (*_NUMBERS, Kind.HEXADECIMAL)
        ):
            found[place:] = [_group(Kind.IDENTIFIER, [*found[place:], token])]
        else:
            found.append(token)
    return found


def _last(tokens: list[Token]) -> int | None:
    for position in range(len(tokens) - 1, -1, -1):
        if not tokens[position].blank:
            return position
    return None


def _remarks(tokens: Sequence[Token]) -> list[Token]:
    """Groups of comments and the line ends between and after them, but for those at the end."""
    found: list[Token] = []
    open_remark: list[Token] = []
    for token in tokens:
        if token.kind is Kind.COMMENT or (open_remark and token.kind is Kind.NEWLINE):
            open_remark.append(token)
            continue
        if open_remark:
            found.append(_group(Kind.REMARK, open_remark))
            open_remark = []
        found.append(token)
    return [*found, *open_remark]


def _with_remarks(tokens: list[Token]) -> list[Token]:
    """Remarks as a part of the group before them."""
    found: list[Token] = []
    for token in tokens:
        place = _last(found) if token.kind is Kind.REMARK else None
        if place is None or found[place].kind not in _GROUPS:
            found.append(token)
            continue
        held = found[place]
        parts = (*held.parts, token) if held.parts else ()
        found[place:] = [replace(held, end=token.end, parts=parts)]
    return found
