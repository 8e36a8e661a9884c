"""Clauses and orders of a search, when it is known what they mean."""

from dataclasses import dataclass


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
