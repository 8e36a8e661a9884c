"""Calls from one service to another: the peer is an ASGI app, in this process or remote."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from libs.common.errors import unavailable
from libs.common.http.types import ASGIApp, Message, Scope
from libs.common.telemetry.tracing import current_traceparent


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes


async def call(
    app: ASGIApp,
    method: str,
    path: str,
    *,
    headers: Iterable[tuple[str, str]] = (),
    query: str = "",
    body: bytes = b"",
    timeout: float = 5.0,
) -> Reply:
    """Ask `app` and read its whole answer; a refusal 503 when it takes over `timeout` seconds."""
    sent = [(name.lower().encode(), value.encode()) for name, value in headers]
    if trace := current_traceparent():
        sent.append((b"traceparent", trace.encode()))
    if body:
        sent.append((b"content-length", str(len(body)).encode()))
    answer = _Collected()
    try:
        async with asyncio.timeout(timeout):
            await app(_scope(method, path, query, sent), _once(body), answer)
    except (TimeoutError, OSError) as problem:
        raise unavailable("A part that is needed did not answer in time; try again.") from problem
    return Reply(answer.status, answer.headers, b"".join(answer.parts))


def _scope(method: str, path: str, query: str, headers: list[tuple[bytes, bytes]]) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": quote(path).encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": headers,
        "client": None,
        "server": None,
    }


class _once:  # noqa: N801 - used like the function it replaces
    """A receive callable that gives the body, then waits as an open connection does."""

    def __init__(self, body: bytes) -> None:
        self._body: bytes | None = body

    async def __call__(self) -> Message:
        if self._body is None:
            await asyncio.Event().wait()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


class _Collected:
    """A send callable that keeps what it is given."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.parts: list[bytes] = []

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in message.get("headers", ())
            }
        else:
            self.parts.append(bytes(message.get("body", b"")))
