"""What is asked: requests, cases of an operation, and how their placeholders are filled in.

`$name` stands for what an earlier answer gave under that name, `$new` for a text that nobody has
used, `$mark` for one that is the operation's own; both servers get the same one.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

JSON: Final = "application/json"
BOTH: Final = ("/api", "/ajax-api")
AJAX: Final = ("/ajax-api",)
BARE: Final = ("",)
# How long a `$new` is when it is filled in.
NEW_LENGTH: Final = 17
_NAME: Final = re.compile(r"\$(\w+)")


@dataclass(frozen=True)
class Request:
    """One request; `raw` is sent as it is where there is no `body` to encode as JSON.

    `keep` maps a name to the path of a value in the answer (`run.info.run_id`).
    """

    method: str
    path: str
    query: str = ""
    body: Any = None
    raw: bytes | None = None
    content_type: str | None = JSON
    keep: Mapping[str, str] = field(default_factory=dict)

    def target(self, known: Mapping[str, str]) -> str:
        """Path and query with placeholders filled in."""
        query: str = filled(self.query, known)
        path: str = filled(self.path, known)
        return f"{path}?{query}" if query else path

    def content(self, known: Mapping[str, str]) -> bytes:
        """The body with placeholders filled in."""
        if self.raw is not None:
            text: str = filled(self.raw.decode("latin-1"), known)
            return text.encode("latin-1")
        return b"" if self.body is None else json.dumps(filled(self.body, known)).encode()


@dataclass(frozen=True)
class Case:
    """A request and those after it that show what it did.

    Those in `after` are asked only where one of the servers did what it was asked.
    """

    name: str
    requests: tuple[Request, ...]
    after: tuple[Request, ...] = ()


@dataclass(frozen=True)
class Operation:
    """An operation, what is there before its cases, and the cases in their order."""

    section: str
    method: str
    path: str
    prefixes: tuple[str, ...]
    before: tuple[Request, ...]
    cases: tuple[Case, ...]

    @property
    def name(self) -> str:
        """How it is called in reports."""
        return f"{self.method} {self.path}"


def filled(value: Any, known: Mapping[str, str]) -> Any:
    """A value with its placeholders filled in, in keys as well."""
    if isinstance(value, str):
        return _NAME.sub(lambda found: known.get(found[1], found[0]), value)
    if isinstance(value, dict):
        return {filled(key, known): filled(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, known) for inner in value]
    return value


def kept(answer: Any, path: str) -> str:
    """The value at a path of an answer, '' where there is none."""
    for part in path.split("."):
        try:
            answer = answer[int(part)] if isinstance(answer, list) else answer[part]
        except (KeyError, IndexError, TypeError):
            return ""
    return str(answer)


def under_prefixes(operation: Operation) -> Operation:
    """The operation with its prefixes put before its own paths: taken in turn, the first case both.

    Every case meets one of them, so that a prefix costs no second run of them all.
    """
    first = operation.cases[0]
    cases = [
        replace(first, name=f"{first.name}, under {prefix}") if i else first
        for i, prefix in enumerate(operation.prefixes)
    ]
    turns = [*cases, *operation.cases[1:]]
    return replace(
        operation,
        before=_prefixed(operation.before, BOTH[0]),
        cases=tuple(
            replace(
                case,
                requests=_prefixed(case.requests, _turn(operation, i)),
                after=_prefixed(case.after, _turn(operation, i)),
            )
            for i, case in enumerate(turns)
        ),
    )


def _turn(operation: Operation, place: int) -> str:
    return operation.prefixes[place % len(operation.prefixes)]


def _prefixed(requests: Sequence[Request], prefix: str) -> tuple[Request, ...]:
    return tuple(under(request, prefix) for request in requests)


def under(request: Request, prefix: str) -> Request:
    """A request with a prefix put before its path, unless that is a whole one."""
    if request.path.startswith("/"):
        return request
    return replace(request, path=f"{_for(request, prefix)}/{request.path}")


def _for(request: Request, prefix: str) -> str:
    """Some paths stand under one prefix only, whatever the case's is."""
    only = ("search-datasets", "get-history-bulk", "upload-artifact", "/artifacts/files")
    return AJAX[0] if request.path.endswith(only) else prefix
