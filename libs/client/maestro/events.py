"""Server-sent events of the platform, read over as many connections as it takes."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import requests

from maestro.connection import Connection, Refused

# What will not change by asking again.
_FINAL: Final = frozenset({400, 401, 403, 404})
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 15.0


@dataclass(frozen=True)
class Event:
    """An event: `snapshot`, `metrics`, `run` or `details`, its id and what it tells."""

    event: str
    id: str
    data: Any


class Following:
    """Follows a path's events; what happens while it reconnects is told afterwards.

    `says` is told in a few words why it waits, and '' when all is well again.
    """

    def __init__(self, connection: Connection, path: str, says: Callable[[str], None]) -> None:
        self._connection = connection
        self._path = path
        self._says = says
        self._last_id = ""
        self._pause = _FIRST_PAUSE

    def events(self) -> Iterator[Event]:
        """Every event, without end; raises Refused where there is nothing to be had."""
        failures = 0
        while True:
            try:
                with self._connection.stream(self._path, self._last_id) as answer:
                    self._says("")
                    failures = 0
                    yield from self._read(answer)
            except Refused as refused:
                if refused.status in _FINAL or not (self._last_id or refused.status):
                    raise
                failures += 1
                self._says(str(refused))
            except requests.RequestException:
                failures += 1
                self._says("The connection was lost.")
            time.sleep(min(self._pause * 2 ** min(failures, 5), _LONGEST_PAUSE))

    def _read(self, answer: requests.Response) -> Iterator[Event]:
        fields: dict[str, str] = {}
        for line in answer.iter_lines(chunk_size=None, decode_unicode=False):
            if line:
                name, _, value = line.decode("utf-8").partition(":")
                fields[name] = value.removeprefix(" ")
                continue
            self._pause = float(fields.get("retry", self._pause * 1_000)) / 1_000
            self._last_id = fields.get("id", self._last_id)
            if "data" in fields:
                told = json.loads(fields["data"])
                yield Event(fields.get("event", "message"), self._last_id, told)
            fields = {}
