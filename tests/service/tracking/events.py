"""A listener to live events in tests: it reads a stream as it comes, over ASGI."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from libs.common.http.types import ASGIApp, Message
from libs.common.principal import PRINCIPAL_HEADER
from tests.serving import Client
from tests.waiting import eventually


@dataclass
class Told:
    """One event: its name, id and data."""

    event: str
    id: str
    data: Any


@dataclass
class Stream:
    """What came of a stream so far; with `reads` off its client takes nothing more."""

    status: int = 0
    told: list[Told] = field(default_factory=list)
    body: bytes = b""
    raw: bytes = b""
    ended: bool = False
    broken: bool = False
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Message) -> None:
        """What the service sends."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        await self.reads.wait()
        self.raw += message.get("body", b"")
        self.body += message.get("body", b"")
        if self.status == 200:
            *whole, rest = self.body.split(b"\n\n")
            self.body = rest
            self.told += [told for told in map(_told, whole) if told is not None]
        if not message.get("more_body"):
            self.ended = True

    async def comes(self, event: str, within: float = 10.0, at_least: int = 1) -> list[Told]:
        """The events of a name, once there are so many."""
        return await eventually(lambda: self._some(event, at_least), within=within)

    def _some(self, event: str, at_least: int) -> list[Told]:
        found = [told for told in self.told if told.event == event]
        return found if len(found) >= at_least else []

    @property
    def points(self) -> list[tuple[str, Any, int]]:
        """Every point that came as (key, value, step), in order."""
        return [
            (point["key"], point["value"], point["step"])
            for told in self.told
            if told.event == "metrics"
            for point in told.data["points"]
        ]

    @property
    def last_id(self) -> str:
        """The id of the last event."""
        return self.told[-1].id

    async def has(self, points: int, within: float = 10.0) -> list[tuple[str, Any, int]]:
        """All points, once there are so many."""
        return await eventually(
            lambda: self.points if len(self.points) >= points else [], within=within
        )


def _told(block: bytes) -> Told | None:
    fields = dict(
        line.split(": ", 1) for line in block.decode().split("\n") if not line.startswith(":")
    )
    if "data" not in fields:
        return None
    return Told(fields["event"], fields["id"], msgspec.json.decode(fields["data"]))


def of_run(run_id: str) -> str:
    """The path of a run's events."""
    return f"/api/maestro/v1/runs/{run_id}/events"


def of_experiment(experiment_id: str) -> str:
    """The path of an experiment's events."""
    return f"/api/maestro/v1/experiments/{experiment_id}/events"


@asynccontextmanager
async def listening(
    client: Client, path: str, *, last: str = "", query: str = "", app: ASGIApp | None = None
) -> AsyncIterator[Stream]:
    """A stream, open for as long as the block lasts."""
    principal = client.signer.principal(client.tenant, client.running.name, **client.claims)
    headers = [(PRINCIPAL_HEADER.encode(), principal.encode())]
    if last:
        headers.append((b"last-event-id", last.encode()))
    async with streaming(app or client.app, path, headers, query=query) as stream:
        yield stream


@asynccontextmanager
async def streaming(
    app: ASGIApp, path: str, headers: list[tuple[bytes, bytes]], *, query: str = ""
) -> AsyncIterator[Stream]:
    """A stream of an app, with headers of its own."""
    stream = Stream()
    stream.reads.set()
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Message:
        for message in asked:
            return message
        await stream.gone.wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    task = asyncio.create_task(_whole(app, scope, receive, stream))
    try:
        await eventually(lambda: stream.status, within=15)
        yield stream
    finally:
        stream.gone.set()
        stream.reads.set()
        await asyncio.wait_for(task, 10)


async def _whole(app: ASGIApp, scope: Any, receive: Callable[[], Any], stream: Stream) -> None:
    await app(scope, receive, stream.send)
    stream.broken = not stream.ended
