"""Long lists in pages: where one begins, and how much is on it."""

from collections.abc import Sequence
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Query

Row = TypeVar("Row")

Limit = Annotated[int, Query(ge=1, le=1000, description="The most that one answer lists.")]
After = Annotated[str, Query(max_length=400, description="`next` of the page before.")]
AfterId = Annotated[UUID, Query(description="`next` of the page before.")]
FIRST_ID = UUID(int=0)


def page(rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], Row | None]:
    """A page of rows that were asked for with one more, and its last one where more follow."""
    shown = rows[:limit]
    return shown, shown[-1] if len(rows) > limit else None
