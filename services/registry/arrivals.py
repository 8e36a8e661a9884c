"""Waiting for a fact: commands are woken in memory when a consumer of this process hears of an id.

Only a hint: the waiting command looks into the database, and looks again by itself, because the
fact may be applied by another process, and because it is heard just before it is committed.

There is one a process, made at import, not one in the registry's State: a handler of a work
subscription gets its unit of work and its event, and has no way to the service that runs it. Two
registries in one process would share it, which costs a look into the database and no more.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

Id = tuple[int, str]


class Arrivals:
    """Who waits for which id; ids are unique within a tenant."""

    def __init__(self) -> None:
        self._waiting: dict[Id, list[asyncio.Event]] = {}

    @contextmanager
    def awaiting(self, tenant_no: int, name: str) -> Iterator[asyncio.Event]:
        """An event that is set when the id is heard of within the block."""
        key, event = (tenant_no, name), asyncio.Event()
        self._waiting.setdefault(key, []).append(event)
        try:
            yield event
        finally:
            self._waiting[key].remove(event)
            if not self._waiting[key]:
                del self._waiting[key]

    def heard(self, tenant_no: int, name: str) -> None:
        """Wake everybody who waits for this id."""
        for event in self._waiting.get((tenant_no, name), ()):
            event.set()


ARRIVALS: Final = Arrivals()
