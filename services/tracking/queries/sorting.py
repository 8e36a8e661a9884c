"""Orders of a search as SQL: a total order of terms without NULL, and the rows after a given one."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

from libs.common.filters.pages import Page, Value
from services.tracking.queries.building import Statement


@dataclass(frozen=True, slots=True)
class Term:
    """One expression that rows are ordered by: a constant of this package, never NULL."""

    expression: str
    kind: type[Value]
    ascending: bool


_CASTS: dict[type[Value], str] = {
    int: "?::int8",
    float: "?::float8",
    str: "?::text",
    UUID: "?::uuid",
}


def put_after(
    statement: Statement, terms: Sequence[Term], page: Page, query: Sequence[object]
) -> None:
    """Only the rows of a page of `query`, which come after the one that its token holds.

    a > x OR (a = x AND (b > y OR (b = y AND …))), behind a plain bound that an index can use.
    """
    after = page.after(query, [term.kind for term in terms])
    if after is None:
        return
    first, value = terms[0], after[0]
    statement.put(" AND ").put(first.expression)
    statement.put(" >= " if first.ascending else " <= ").put(_CASTS[first.kind], value)
    statement.put(" AND (")
    for position, (term, value) in enumerate(zip(terms, after, strict=True)):
        statement.put(term.expression)
        statement.put(" > " if term.ascending else " < ").put(_CASTS[term.kind], value)
        if position + 1 < len(terms):
            statement.put(" OR (").put(term.expression).put(" = ").put(_CASTS[term.kind], value)
            statement.put(" AND (")
    statement.put("))" * (len(terms) - 1)).put(")")


def put_order(statement: Statement, terms: Sequence[Term]) -> None:
    """ORDER BY the terms."""
    statement.put(" ORDER BY ")
    for term, following in pairwise([*terms, None]):
        assert term is not None
        statement.put(term.expression).put("" if term.ascending else " DESC")
        statement.put("" if following is None else ", ")
