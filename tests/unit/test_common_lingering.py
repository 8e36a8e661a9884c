"""Answers before a request's end, over real sockets: a client that is still sending can read them."""

import asyncio
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from libs.common.http import lingering
from libs.common.http.heads import HEAD_BYTES, LimitedHeads
from libs.common.http.types import Receive, Scope, Send
from tests.listening import listening, sent_and_read
from tests.waiting import eventually

MIB = 1024 * 1024
SIZE = 64
TIMES = 20
PUT = b"PUT /a HTTP/1.1\r\nHost: localhost\r\n"
UPLOAD = PUT + b"Content-Length: %d\r\n\r\n" % (SIZE * MIB)
BODY = b"{}" * 200


class Refusing:
    """Refuses at once, or after the first bytes of a body; ends the connection with its answer."""

    def __init__(self, *, reads: bool = False) -> None:
        self._reads = reads

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        if self._reads:
            await receive()
        headers = [(b"content-length", b"%d" % len(BODY)), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})


@pytest.mark.parametrize("reads", [False, True])
async def test_who_sends_all_of_a_refused_upload_reads_the_whole_answer(reads: bool) -> None:
    async with listening(Refusing(reads=reads)) as url:
        for _ in range(TIMES):
            answer = await asyncio.to_thread(sent_and_read, url, UPLOAD, SIZE)
            assert answer.startswith(b"HTTP/1.1 413 ")
            assert answer.endswith(b"\r\n\r\n" + BODY)


async def test_a_large_head_is_answered_to_who_sends_all_of_it() -> None:
    head = PUT + b"X-A: " + bytes(2 * HEAD_BYTES).replace(b"\0", b"a") + b"\r\n\r\n"
    async with listening(Refusing()) as url:
        for _ in range(TIMES):
            answer = await asyncio.to_thread(sent_and_read, url, head, 8)
            assert answer.startswith(b"HTTP/1.1 431 ")


async def test_a_request_that_was_read_is_not_lingered_for() -> None:
    lines: list[asyncio.Transport] = []

    class Watched(LimitedHeads):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            lines.append(transport)

    async with listening(Refusing(reads=True), http=Watched) as url:
        place = urlsplit(url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(PUT + b"Content-Length: 1\r\n\r\nx")
        assert (await reader.read()).endswith(BODY)
        assert lines[0].is_closing()
        writer.close()


@pytest.mark.parametrize("bound", ["idle", "seconds", "bytes"])
async def test_lingering_ends(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changed: dict[str, Any] = {
        "idle": ("IDLE_SECONDS", 0.3),
        "seconds": ("LINGER_SECONDS", 0.6),
        "bytes": ("LINGER_BYTES", 4 * MIB),
    }
    monkeypatch.setattr(lingering, *changed[bound])
    monkeypatch.setattr(lingering, "IDLE_SECONDS", 0.3)
    ended = asyncio.Event()

    class Watched(LimitedHeads):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            ended.set()

    async with listening(Refusing(), http=Watched) as url:
        place = urlsplit(url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(UPLOAD)
        assert (await reader.read()).endswith(BODY)
        begun = time.monotonic()
        assert not ended.is_set()

        async def over() -> bool:
            if bound != "idle" and not ended.is_set():
                with suppress(ConnectionError):
                    writer.write(bytes(MIB if bound == "bytes" else 1))
                    await writer.drain()
            return ended.is_set()

        await eventually(over, within=5)
        assert bound == "bytes" or time.monotonic() - begun >= 0.2
        writer.close()


async def test_a_server_that_stops_waits_for_no_lingerer() -> None:
    async with listening(Refusing()) as url:
        place = urlsplit(url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(UPLOAD)
        assert (await reader.read()).endswith(BODY)
        begun = time.monotonic()
    # Else it would have been cut after a second, when the time to end was over.
    assert time.monotonic() - begun < 0.9
    writer.close()
