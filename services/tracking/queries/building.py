"""Puts static pieces of SQL together into one statement with numbered parameters.

Pieces are constants of this package. What a caller sent only ever becomes a parameter.
"""

from typing import Final

from libs.common.filters.values import pattern

TEXT_COMPARISONS: Final = {
    "=": "= ?",
    "!=": "<> ?",
    "LIKE": "LIKE ?",
    "ILIKE": "COLLATE pg_c_utf8 ILIKE ?",
    "IN": "= ANY(?::text[])",
    "NOT IN": "<> ALL(?::text[])",
}
NUMBER_COMPARISONS: Final = {
    "=": "= ?",
    "!=": "<> ?",
    ">": "> ?",
    ">=": ">= ?",
    "<": "< ?",
    "<=": "<= ?",
}
INT64: Final = range(-(2**63), 2**63)


class Statement:
    """A statement that grows; `?` in a piece takes the next of the piece's values."""

    def __init__(self, *values: object) -> None:
        self._pieces: list[str] = []
        self.values = list(values)

    def put(self, piece: str, *values: object) -> "Statement":
        """Add a piece and its values."""
        first, *others = piece.split("?")
        assert len(others) == len(values), piece
        self._pieces.append(first)
        for value, other in zip(values, others, strict=True):
            self.values.append(value)
            self._pieces.append(f"${len(self.values)}{other}")
        return self

    def compare_number(self, column: str, comparator: str, value: float) -> "Statement":
        """Compare an integer column with a number, exactly where the number is an int64."""
        self.put(column)
        piece = NUMBER_COMPARISONS[comparator]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and value in INT64:
            return self.put(piece, value)
        return self.put(piece.replace("?", "?::float8"), as_float(value))

    def compare_text(self, comparator: str, value: object) -> "Statement":
        """Compare the text that was put last with a text, a pattern or a tuple of texts."""
        if isinstance(value, tuple):
            value = list(value)
        elif comparator in ("LIKE", "ILIKE"):
            value = pattern(str(value))
        return self.put(TEXT_COMPARISONS[comparator], value)

    def beside(self) -> "Statement":
        """A part of the same statement that is written apart; its parameters count on."""
        other = Statement()
        other.values = self.values
        return other

    @property
    def text(self) -> str:
        """The statement's text."""
        return "".join(self._pieces)


def as_float(value: float) -> float:
    """A number as a double; integers beyond it become infinite, as they compare."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
