"""What commands print: tables for people, JSON for programs, errors on standard error."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


class Output:
    """Prints answers; `as_json` prints them as they came."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._out = Console(highlight=False, soft_wrap=as_json)

    def rows(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """A table of the named fields, or the rows whole."""
        if self._json:
            self._print_json(list(rows))
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column.replace("_", " "), overflow="fold")
        for row in rows:
            table.add_row(*(Text(_shown(row.get(column))) for column in columns))
        self._out.print(table)

    def thing(self, thing: Mapping[str, Any], sentence: str = "") -> None:
        """One answer: a sentence where there is one, else a line a field."""
        if self._json:
            self._print_json(dict(thing))
        elif sentence:
            self.say(sentence)
        else:
            for name, value in thing.items():
                self._out.print(Text(f"{name.replace('_', ' '):<16}{_shown(value)}"))

    def secret(self, thing: Mapping[str, Any], secret: str, sentence: str) -> None:
        """A secret that is shown this once, alone on its line so that it can be copied."""
        if self._json:
            self._print_json(dict(thing))
            return
        self.say(sentence)
        self._out.print(Text(secret, style="bold"), soft_wrap=True)

    def say(self, sentence: str) -> None:
        """A sentence for people; programs get none."""
        if not self._json:
            self._out.print(Text(sentence))

    @property
    def as_json(self) -> bool:
        """Whether programs read it."""
        return self._json

    def line(self, value: object) -> None:
        """One line of JSON, at once."""
        print(json.dumps(value, separators=(",", ":")), flush=True)

    def _print_json(self, value: object) -> None:
        self._out.print_json(json.dumps(value))


def _shown(value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and len(value) > 19 and value[10:11] == "T":
        return _time(value)
    if isinstance(value, str):
        return value
    if isinstance(value, Iterable):
        return ", ".join(_shown(item) for item in value)
    return str(value)


def _time(text: str) -> str:
    """A point in time of ISO 8601 to the minute, in UTC; other texts as they are."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return text
