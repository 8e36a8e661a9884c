"""Lists that come in pages, read to their end."""

from collections.abc import Iterator, Mapping
from typing import Any

from maestro.connection import Connection


def all_of(
    connection: Connection, path: str, field: str, query: Mapping[str, object] | None = None
) -> Iterator[Mapping[str, Any]]:
    """Every row of `field`, page after page."""
    token: object = None
    while True:
        page = connection.ask("GET", path, query={**(query or {}), "page_token": token})
        yield from page[field]
        token = page.get("next_page_token")
        if not token:
            return
