"""A body may come slowly and not stop: who sends nothing for long is told so, and let go."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from opentelemetry import trace

from libs.common.http.idle import Patience
from libs.common.http.manners import Limits, Manners
from libs.common.http.remote import remotes
from libs.common.http.types import ASGIApp, Message, Receive, Scope, Send
from libs.common.telemetry.tracing import Tracing
from services.gateway.forwarding import forward
from services.gateway.open_requests import OpenRequest
from services.tracking.artifacts.folder import Folder
from services.tracking.artifacts.objects import MIB
from tests.listening import listening
from tests.waiting import eventually

IDLE = 0.4
HEAD = b"PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"


def mannered(app: ASGIApp, idle: float = IDLE) -> ASGIApp:
    """`app` behind manners that wait `idle` seconds."""
    limits = Limits(hosts=("*",), idle_seconds=idle)
    tracing = Tracing(trace.NoOpTracer(), enabled=False)
    return Manners(app, service="probe", tracing=tracing, limits=limits)


def gateway(upstream: ASGIApp, idle: float = IDLE) -> ASGIApp:
    """A gateway before `upstream`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await forward(
            "probe",
            upstream,
            scope,
            receive,
            send,
            principal=None,
            silence_seconds=10 * IDLE,
            request=OpenRequest(None),
        )

    return mannered(app, idle)


class Storing:
    """Stores what it is sent; answers after `pause` seconds."""

    def __init__(self, root: Path, pause: float = 0.0) -> None:
        self.root = root
        self._store = Folder(root)
        self._pause = pause

    def files(self) -> list[str]:
        """What lies there, also of uploads that are under way."""
        return [path.name for path in self.root.rglob("*") if path.is_file()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._store.put("r/a", _chunks(receive), None)
        leaving = asyncio.create_task(_leaving(receive))
        await asyncio.sleep(self._pause)
        assert not leaving.done()
        leaving.cancel()
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"OK"})


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionAbortedError
        if message["body"]:
            yield message["body"]
        more = message["more_body"]


async def _leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def sent(url: str, *parts: bytes, pause: float = 0.0) -> bytes:
    """What the server says until it closes, or for a moment, when it was sent `parts`."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        if b"connection: close" in head:
            return head + await asyncio.wait_for(reader.read(), 10)
        return head
    finally:
        writer.transport.abort()


def assert_late(said: bytes) -> None:
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert head.count(b"connection: close") == 1
    assert json.loads(body) == {
        "error_code": "DEADLINE_EXCEEDED",
        "message": "No byte of the body came for 0.4 s; send it again without a pause.",
    }


PLACES: dict[str, Callable[[ASGIApp], ASGIApp]] = {
    "a service alone": mannered,
    "a gateway and a service in one process": lambda app: gateway(mannered(app)),
    "a patient gateway": lambda app: gateway(mannered(app), 60.0),
    "a patient service": lambda app: gateway(mannered(app, 60.0)),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
@pytest.mark.parametrize("size", [0, 3, 3 * MIB + 7])
async def test_an_upload_that_stops_is_refused_and_leaves_nothing(
    place: Callable[[ASGIApp], ASGIApp], size: int, tmp_path: Path
) -> None:
    app = Storing(tmp_path / "store")
    async with listening(place(app)) as url:
        assert_late(await sent(url, HEAD % (9 * MIB) + b"x" * size))
    assert app.files() == []


@pytest.mark.parametrize(("of_gateway", "of_service"), [(IDLE, 60.0), (60.0, IDLE)])
async def test_an_upload_that_stops_before_a_remote_service_is_refused_too(
    tmp_path: Path, of_gateway: float, of_service: float
) -> None:
    app = Storing(tmp_path / "store")
    async with (
        listening(mannered(app, of_service)) as behind,
        remotes({"probe": behind}) as peers,
        listening(gateway(peers["probe"], of_gateway)) as url,
    ):
        assert_late(await sent(url, HEAD % (9 * MIB) + b"x" * (3 * MIB)))
        await eventually(lambda: app.files() == [])


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
async def test_a_slow_upload_and_a_slow_answer_are_let_be(
    place: Callable[[ASGIApp], ASGIApp], tmp_path: Path
) -> None:
    app = Storing(tmp_path / "store", pause=3 * IDLE)
    async with listening(place(app)) as url:
        said = await sent(url, HEAD % 8, *([b"x"] * 8), pause=IDLE / 4)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert (tmp_path / "store/r/a").read_bytes() == b"x" * 8


async def test_a_service_that_takes_its_time_is_not_the_clients_silence(tmp_path: Path) -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(3):
            assert (await receive())["more_body"]
            await asyncio.sleep(2 * IDLE)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"x", "more_body": True}

    answered: list[Message] = []

    async def send(message: Message) -> None:
        answered.append(message)

    scope = {"type": "http", "method": "PUT", "path": "/", "query_string": b""}
    headers = [(b"transfer-encoding", b"chunked")]
    await mannered(slow)({**scope, "headers": headers}, receive, send)
    assert answered[0]["status"] == 204


async def test_what_is_there_at_once_is_given_without_a_timer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ready() -> int:
        return 7

    timers: list[object] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_later", lambda *given: timers.append(given))
    assert await Patience(IDLE).within(ready()) == 7
    assert timers == []


async def test_what_is_waited_for_may_fail_or_swallow_a_cancellation() -> None:
    async def failing() -> None:
        await asyncio.sleep(0)
        raise KeyError("a")

    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return "done"

    patience = Patience(0.05)
    with pytest.raises(KeyError):
        await patience.within(failing())
    with pytest.raises(TimeoutError):
        await patience.within(asyncio.Event().wait())
    task = asyncio.ensure_future(_awaited(Patience(60).within(stubborn())))
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "done"


async def test_a_cancellation_from_outside_stays_one() -> None:
    patience = Patience(60)
    task = asyncio.ensure_future(_awaited(patience.within(asyncio.Event().wait())))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    patience.end()


async def _awaited(what: object) -> object:
    return await what  # type: ignore[misc]
