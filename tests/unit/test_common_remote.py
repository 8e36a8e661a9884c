"""A remote service streams both ways at the slower side's pace, and says when it is away."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from libs.common.errors import Refusal
from libs.common.http.calling import call
from libs.common.http.remote import remotes
from libs.common.http.types import ASGIApp, Message, Receive, Scope, Send
from tests.listening import free_port, listening
from tests.waiting import eventually

PART = b"x" * 65536
# What may lie between the two ends at most: socket buffers of both sides, far below the whole.
UNDER_WAY = 48 * 1024 * 1024
WHOLE = 160 * 1024 * 1024


@asynccontextmanager
async def remote(app: ASGIApp) -> AsyncIterator[ASGIApp]:
    """`app` served on a port, and the way to it."""
    async with listening(app) as url, remotes({"probe": url}) as found:
        yield found["probe"]


def scope_of(method: str, *headers: tuple[bytes, bytes], path: str = "/x") -> Scope:
    """A request's scope."""
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": list(headers),
    }


class Upstream:
    """An app that counts what it sent and read, and says whether its client left."""

    def __init__(self) -> None:
        self.sent = 0
        self.read = 0
        self.left = asyncio.Event()
        self.may_read = asyncio.Event()

    async def sends_much(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send WHOLE bytes, listening for the client to leave as Starlette does."""
        await receive()
        listening_in = asyncio.create_task(self._wait_for_leave(receive))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while self.sent < WHOLE and not self.left.is_set():
            await send({"type": "http.response.body", "body": PART, "more_body": True})
            self.sent += len(PART)
            # To nobody, sending never waits: give the listener its turn.
            await asyncio.sleep(0)
        if not self.left.is_set():
            await send({"type": "http.response.body", "body": b""})
        listening_in.cancel()

    async def _wait_for_leave(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.set()

    async def reads_all(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body to its end, once it may."""
        await self.may_read.wait()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return
            self.read += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        await send({"type": "http.response.start", "status": 201, "headers": [(b"x-a", b"b")]})
        await send({"type": "http.response.body", "body": str(self.read).encode()})


async def settled(count: Callable[[], int]) -> int:
    """The value of a counter once it has stood still for half a second."""
    seen, since = -1, 0.0
    clock = asyncio.get_running_loop().time
    while seen != count() or clock() - since < 0.5:
        if seen != count():
            seen, since = count(), clock()
        await asyncio.sleep(0.02)
    return seen


class Caller:
    """The client's side: takes the answer when it may, and can leave."""

    def __init__(self, parts: int = 0) -> None:
        self.parts = parts
        self.given = 0
        self.taken = 0
        self.messages: list[Message] = []
        self.may_take = asyncio.Event()
        self.leave = asyncio.Event()

    async def receive(self) -> Message:
        """The next part of the body, then the client's leaving."""
        if self.given < self.parts and not self.leave.is_set():
            self.given += 1
            more = self.given < self.parts
            return {"type": "http.request", "body": PART, "more_body": more}
        if self.parts == 0 and self.given == 0:
            self.given = 1
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a message of the answer, at this client's pace."""
        await self.may_take.wait()
        self.messages.append(message)
        self.taken += len(message.get("body", b""))


async def test_request_and_answer_pass_unchanged() -> None:
    seen: dict[str, Any] = {}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.update(scope)
        seen["body"] = (await receive())["body"]
        headers = [(b"content-type", b"text/x"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
        await send({"type": "http.response.start", "status": 418, "headers": headers})
        await send({"type": "http.response.body", "body": b"\x00short"})

    async with remote(app) as probe:
        reply = await call(
            probe, "PATCH", "/a%2Fb/ä", query="q=%20+1", headers=[("X-One", "1")], body=b"{}"
        )
    assert (reply.status, reply.body, reply.headers["content-type"]) == (
        418,
        b"\x00short",
        "text/x",
    )
    assert (seen["method"], seen["query_string"], seen["body"]) == ("PATCH", b"q=%20+1", b"{}")
    assert seen["raw_path"] == b"/a%252Fb/%C3%A4"
    assert (b"x-one", b"1") in seen["headers"]


async def test_an_answer_is_fetched_at_the_clients_pace() -> None:
    upstream, caller = Upstream(), Caller()
    async with remote(upstream.sends_much) as probe:
        asking = asyncio.ensure_future(probe(scope_of("GET"), caller.receive, caller.send))
        assert await settled(lambda: upstream.sent) < UNDER_WAY
        caller.may_take.set()
        await asyncio.wait_for(asking, 30)
    assert caller.taken == upstream.sent == WHOLE


async def test_a_body_is_taken_at_the_services_pace() -> None:
    upstream, caller = Upstream(), Caller(parts=WHOLE // len(PART))
    length = (b"content-length", str(WHOLE).encode())
    caller.may_take.set()
    async with remote(upstream.reads_all) as probe:
        asking = asyncio.ensure_future(probe(scope_of("PUT", length), caller.receive, caller.send))
        assert await settled(lambda: caller.given * len(PART)) < UNDER_WAY
        upstream.may_read.set()
        await asyncio.wait_for(asking, 30)
    assert (upstream.read, caller.messages[0]["status"]) == (WHOLE, 201)


async def test_a_client_that_leaves_a_long_answer_ends_it_at_the_service() -> None:
    upstream, caller = Upstream(), Caller()
    async with remote(upstream.sends_much) as probe:
        asking = asyncio.ensure_future(probe(scope_of("GET"), caller.receive, caller.send))
        caller.may_take.set()
        await eventually(lambda: caller.taken > 0)
        caller.may_take.clear()
        caller.leave.set()
        caller.may_take.set()
        with pytest.raises(ConnectionAbortedError):
            await asyncio.wait_for(asking, 30)
        await asyncio.wait_for(upstream.left.wait(), 30)
    assert upstream.sent < WHOLE


async def test_a_client_that_leaves_its_upload_ends_it_at_the_service() -> None:
    upstream, caller = Upstream(), Caller(parts=10**9)
    upstream.may_read.set()
    caller.may_take.set()
    async with remote(upstream.reads_all) as probe:
        chunked = (b"transfer-encoding", b"chunked")
        asking = asyncio.ensure_future(probe(scope_of("PUT", chunked), caller.receive, caller.send))
        await eventually(lambda: upstream.read > 0)
        caller.leave.set()
        with pytest.raises(ConnectionAbortedError):
            await asyncio.wait_for(asking, 5)
        await asyncio.wait_for(upstream.left.wait(), 5)
    assert caller.messages == []


async def test_a_refusal_that_comes_before_the_body_is_read_reaches_the_client() -> None:
    async def too_large(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": b"no"})

    async with remote(too_large) as probe:
        reply = await call(probe, "PUT", "/x", body=b"x" * 8_000_000, timeout=10)
    assert (reply.status, reply.body) == (413, b"no")


async def _closes(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _half_an_answer(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf")
    await writer.drain()
    writer.close()


async def _no_http(writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 smtp.example ESMTP\r\n\r\n")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("dies", [_closes, _half_an_answer, _no_http])
async def test_a_service_that_dies_midway_is_away(
    dies: Callable[[asyncio.StreamWriter], Awaitable[None]],
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await dies(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, remotes({"probe": f"http://127.0.0.1:{port}"}) as found:
        with pytest.raises(Refusal) as refused:
            await call(found["probe"], "GET", "/x")
    assert (refused.value.status, refused.value.retry_after) == (503, 1)


async def test_a_service_that_is_not_there_is_away() -> None:
    async with remotes({"probe": f"http://127.0.0.1:{free_port()}"}) as found:
        with pytest.raises(Refusal) as refused:
            await call(found["probe"], "POST", "/x", body=b"{}")
    assert refused.value.status == 503


async def test_a_service_that_is_silent_is_away_after_the_callers_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with remotes({"probe": url}) as found:
            with pytest.raises(Refusal) as refused:
                await call(found["probe"], "GET", "/x", timeout=0.2)
    assert refused.value.status == 503
