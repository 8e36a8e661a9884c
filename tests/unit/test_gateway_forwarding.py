"""Forwarding: both bodies stream at the pace of the slower side, and silence is noticed."""

import asyncio
from typing import Any

import pytest

from libs.common.errors import Refusal
from libs.common.http.types import ASGIApp, Message, Receive, Scope, Send
from services.gateway.forwarding import forward
from services.gateway.open_requests import OpenRequest

CHUNK = b"x" * 65536


def scope(*headers: tuple[bytes, bytes]) -> Scope:
    """A PUT with those headers."""
    return {"type": "http", "method": "PUT", "path": "/x", "headers": list(headers)}


class Uploading:
    """A client that sends `count` chunks, and knows how many were asked for."""

    def __init__(self, count: int, pause: float = 0.0) -> None:
        self.count = count
        self.given = 0
        self.pause = pause

    async def __call__(self) -> Message:
        """The next chunk."""
        await asyncio.sleep(self.pause)
        self.given += 1
        more = self.given < self.count
        return {"type": "http.request", "body": CHUNK, "more_body": more}


class Downloading:
    """A client that takes an answer at its own pace."""

    def __init__(self, pause: float = 0.0) -> None:
        self.messages: list[Message] = []
        self.taken = 0
        self.pause = pause

    async def __call__(self, message: Message) -> None:
        """Take a message."""
        await asyncio.sleep(self.pause)
        self.taken += len(message.get("body", b""))
        self.messages.append({**message, "body": b""})


async def put(
    upstream: ASGIApp,
    receive: Receive,
    send: Send,
    *headers: tuple[bytes, bytes],
    silence: float = 5.0,
    principal: bytes | None = b"signed",
    request: OpenRequest | None = None,
) -> None:
    """Forward a PUT to `upstream`."""
    async with asyncio.timeout(20):
        await forward(
            "tracking",
            upstream,
            scope(*headers),
            receive,
            send,
            principal=principal,
            silence_seconds=silence,
            request=request or OpenRequest(None),
        )


async def answer(send: Send, body: bytes = b"") -> None:
    """A whole answer."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def test_an_upload_is_read_no_faster_than_its_service_takes_it() -> None:
    client, most_ahead, taken = Uploading(2000), 0, 0

    async def upstream(_: Scope, receive: Receive, send: Send) -> None:
        nonlocal most_ahead, taken
        while True:
            message = await receive()
            taken += 1
            await asyncio.sleep(0)
            most_ahead = max(most_ahead, client.given - taken)
            if not message["more_body"]:
                break
        await answer(send)

    await put(upstream, client, Downloading())
    assert taken == 2000
    assert most_ahead == 0


async def test_a_download_is_made_no_faster_than_the_client_takes_it() -> None:
    client, made, most_ahead = Downloading(), 0, 0

    async def upstream(_: Scope, __: Receive, send: Send) -> None:
        nonlocal made, most_ahead
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _number in range(2000):
            made += len(CHUNK)
            await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
            most_ahead = max(most_ahead, made - client.taken)
        await send({"type": "http.response.body", "body": b""})

    await put(upstream, Uploading(1), client)
    assert client.taken == 2000 * len(CHUNK)
    assert most_ahead == 0


async def test_the_service_sees_our_principal_and_the_client_sees_its_answer() -> None:
    seen: list[Any] = []

    async def upstream(scope: Scope, _: Receive, send: Send) -> None:
        seen.extend(scope["headers"])
        headers = [(b"etag", b"1"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 206, "headers": headers})
        await send({"type": "http.response.body", "body": b"abc"})

    client = Downloading()
    forged = (b"x-maestro-principal", b"forged")
    await put(upstream, Uploading(1), client, forged, (b"authorization", b"Bearer x"))
    assert seen == [(b"x-maestro-principal", b"signed")]
    assert client.messages[0]["status"] == 206
    assert client.messages[0]["headers"] == [(b"etag", b"1")]
    assert client.taken == 3


async def test_a_public_route_has_no_principal_at_all() -> None:
    async def upstream(scope: Scope, _: Receive, send: Send) -> None:
        assert scope["headers"] == []
        await answer(send)

    await put(
        upstream, Uploading(1), Downloading(), (b"x-maestro-principal", b"forged"), principal=None
    )


async def test_a_silent_service_is_a_503_with_retry_after_and_its_work_is_ended() -> None:
    ended = asyncio.Event()

    async def upstream(_: Scope, __: Receive, ___: Send) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(Refusal) as refused:
        await put(upstream, Uploading(1), Downloading(), silence=0.05)
    assert (refused.value.status, refused.value.retry_after) == (503, 1)
    assert ended.is_set()


async def test_a_slow_client_is_not_taken_for_a_silent_service() -> None:
    async def upstream(_: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            continue
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _number in range(3):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    client = Downloading(pause=0.12)
    await put(upstream, Uploading(4, pause=0.12), client, silence=0.06)
    assert client.taken == 3


async def test_a_service_that_is_silent_in_the_middle_of_its_answer_is_cut() -> None:
    async def upstream(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.Event().wait()

    with pytest.raises(Refusal):
        await put(upstream, Uploading(1), Downloading(), silence=0.05)


@pytest.mark.parametrize("problem", [ConnectionRefusedError("x"), OSError("x"), TimeoutError("x")])
async def test_a_dead_service_is_a_503(problem: Exception) -> None:
    async def upstream(_: Scope, __: Receive, ___: Send) -> None:
        raise problem

    with pytest.raises(Refusal) as refused:
        await put(upstream, Uploading(1), Downloading())
    assert (refused.value.status, refused.value.retry_after) == (503, 1)


async def test_a_service_that_answers_nothing_is_a_503() -> None:
    async def upstream(_: Scope, __: Receive, ___: Send) -> None:
        return

    with pytest.raises(Refusal) as refused:
        await put(upstream, Uploading(1), Downloading())
    assert refused.value.status == 503


async def test_a_client_that_leaves_is_not_answered() -> None:
    async def upstream(_: Scope, receive: Receive, __: Send) -> None:
        if (await receive())["type"] == "http.disconnect":
            raise ConnectionAbortedError("the client left")

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(ConnectionAbortedError):
        await put(upstream, gone, Downloading())


async def test_a_fault_of_the_service_is_not_called_a_lack_of_it() -> None:
    async def upstream(_: Scope, __: Receive, ___: Send) -> None:
        raise ValueError("a fault")

    with pytest.raises(ValueError, match="a fault"):
        await put(upstream, Uploading(1), Downloading())


@pytest.mark.parametrize("url", ["https://ml.example/prefix", ""])
async def test_only_the_gateway_says_where_clients_reach_it(url: str) -> None:
    seen: list[Scope] = []

    async def upstream(scope: Scope, _: Receive, send: Send) -> None:
        seen.append(scope)
        await answer(send)

    await forward(
        "tracking",
        upstream,
        scope((b"x-maestro-public-url", b"https://evil.example")),
        Uploading(1),
        Downloading(),
        principal=b"signed",
        silence_seconds=5.0,
        request=OpenRequest(None),
        public_url=url,
    )
    told = [value for name, value in seen[0]["headers"] if name == b"x-maestro-public-url"]
    assert told == ([url.encode()] if url else [])
