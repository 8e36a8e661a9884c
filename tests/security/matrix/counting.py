"""Counts the SQL statements that requests send, so that two answers can be told to cost the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final
from unittest.mock import patch

from libs.common.database.pool import Connection


@dataclass
class Counted:
    """How many statements were sent on behalf of what runs in this context."""

    count: int = 0


_COUNTED: Final[ContextVar[Counted | None]] = ContextVar("counted", default=None)
_SPAN: Final = Connection._span


def _counting_span(self: Connection, sql: str) -> Any:
    counted = _COUNTED.get()
    if counted is not None:
        counted.count += 1
    return _SPAN(self, sql)


@contextmanager
def statements() -> Iterator[Counted]:
    """Count what this context sends; the background's statements are not in it."""
    counted = Counted()
    token = _COUNTED.set(counted)
    try:
        with patch.object(Connection, "_span", _counting_span):
            yield counted
    finally:
        _COUNTED.reset(token)
