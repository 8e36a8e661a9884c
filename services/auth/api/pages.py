"""Long lists in pages: where one begins, and how much is on it."""

from collections.abc import Sequence
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Query

Row = TypeVar("Row")

_WHERE = "`next_page_token` of the page before."
MaxResults = Annotated[int, Query(ge=1, le=1000, description="The most that one answer lists.")]
PageToken = Annotated[str, Query(max_length=400, description=_WHERE)]
PageTokenId = Annotated[UUID, Query(description=_WHERE)]
FIRST_ID = UUID(int=0)


def page(rows: Sequence[Row], most: int) -> tuple[Sequence[Row], Row | None]:
    """A page of rows that were asked for with one more, and its last one where more follow."""
    shown = rows[:most]
    return shown, shown[-1] if len(rows) > most else None
