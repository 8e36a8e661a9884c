"""Heads over real sockets: late and large ones are ended, all others take the time they need."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from libs.common.http.heads import HEAD_BYTES, LimitedHeads
from libs.common.http.types import Message, Receive, Scope, Send
from tests.listening import listening

MIB = 1024 * 1024
HEAD_SECONDS = 0.4
GET = b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n"
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Impatient(LimitedHeads):
    """The same limits, but no test waits for 20 s."""

    head_seconds = HEAD_SECONDS


class Probe:
    """Answers with the length of path and body: at once, or once it may."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.append(scope["path"])
        size, more = 0, scope["path"] != "/early"
        while more:
            message: Message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        await self.may_answer.wait()
        body = f"{scope['path'][:9]} {size}".encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def connected(
    app: Probe, http: type[asyncio.Protocol] = Impatient, keep_alive: int = 30
) -> AsyncIterator[Line]:
    """A connection to `app`."""
    async with listening(app, http=http, keep_alive_seconds=keep_alive) as url:
        place = urlsplit(url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of the next answer."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return int(head.split(b" ")[1]), await reader.readexactly(length)


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What comes until the server closes."""
    return await asyncio.wait_for(reader.read(), 10)


async def trickle(writer: asyncio.StreamWriter, data: bytes, seconds: float) -> None:
    """Send `data` evenly over some time."""
    for place in range(len(data)):
        writer.write(data[place : place + 1])
        await asyncio.sleep(seconds / len(data))


@pytest.mark.parametrize("begun", [b"", b"G", b"\r\n", GET[:-4], GET[:-1], b"GET / HTTP/1.1\r\nA:"])
async def test_a_head_that_does_not_end_ends_its_connection(begun: bytes) -> None:
    app = Probe()
    async with connected(app) as (reader, writer):
        writer.write(begun)
        assert await ended(reader) == b""
    assert app.asked == []


@pytest.mark.parametrize("trickled", [b"GET /a HTTP/1.1\r\nA: " + b"a" * 80, b"\r\n" * 50])
async def test_a_byte_now_and_then_buys_no_time(trickled: bytes) -> None:
    async with connected(Probe()) as (reader, writer):
        sending = asyncio.create_task(trickle(writer, trickled, 20 * HEAD_SECONDS))
        begun = asyncio.get_running_loop().time()
        try:
            assert await ended(reader) == b""
            assert asyncio.get_running_loop().time() - begun < 10 * HEAD_SECONDS
        finally:
            sending.cancel()


async def test_a_head_in_pieces_is_served_in_time() -> None:
    async with connected(Probe(), LimitedHeads) as (reader, writer):
        await trickle(writer, GET, 0.3)
        assert await answer(reader) == (200, b"/a 0")


async def test_a_connection_at_rest_is_kept_and_a_half_head_on_it_is_not() -> None:
    async with connected(Probe()) as (reader, writer):
        for _ in range(3):
            writer.write(GET)
            assert await answer(reader) == (200, b"/a 0")
            await asyncio.sleep(1.5 * HEAD_SECONDS)
        writer.write(GET[:-2])
        assert await ended(reader) == b""


async def test_a_slow_body_and_a_slow_answer_are_not_the_heads_matter() -> None:
    app = Probe()
    async with connected(app) as (reader, writer):
        app.may_answer.clear()
        writer.write(b"PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n")
        await trickle(writer, b"x" * 20, 2 * HEAD_SECONDS)
        await asyncio.sleep(2 * HEAD_SECONDS)
        app.may_answer.set()
        assert await answer(reader) == (200, b"/a 20")


async def test_requests_sent_ahead_are_answered_in_order() -> None:
    app = Probe()
    async with connected(app) as (reader, writer):
        app.may_answer.clear()
        # The half head at the end waits for us, as nothing more is read now.
        writer.write(GET.replace(b"/a", b"/1") + GET.replace(b"/a", b"/2") + GET[:10])
        await asyncio.sleep(2 * HEAD_SECONDS)
        app.may_answer.set()
        writer.write(GET[10:])
        assert [await answer(reader) for _ in range(3)] == [
            (200, b"/1 0"),
            (200, b"/2 0"),
            (200, b"/a 0"),
        ]


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 2 * MIB + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        GET[:-2] + b"X-A: " + b"a" * 2 * MIB + b"\r\n\r\n",
        GET[:-2] + b"".join(b"X-%d: a\r\n" % n for n in range(20_000)) + b"\r\n",
        GET[:-2] + b"X-A: " + b"a" * HEAD_BYTES + b"\r\n\r\n",
    ],
    ids=["line", "header", "headers", "in one read"],
)
async def test_a_large_head_is_refused_before_its_end(head: bytes, whole: bool) -> None:
    app = Probe()
    async with connected(app, LimitedHeads) as (reader, writer):
        writer.write(head if whole else head[:-2])
        assert await answer(reader) == (
            431,
            b"The request's line and headers are larger than 65536 bytes; send fewer.",
        )
    assert app.asked == []


async def test_a_head_just_below_the_limit_is_served_again_and_again() -> None:
    head = GET[:-2] + b"X-A: " + b"a" * (HEAD_BYTES - 200) + b"\r\n\r\n"
    async with connected(Probe(), LimitedHeads) as (reader, writer):
        for _ in range(3):
            writer.write(head)
            assert await answer(reader) == (200, b"/a 0")
        writer.write(head * 3)
        assert [await answer(reader) for _ in range(3)] == [(200, b"/a 0")] * 3


async def test_a_large_head_sent_ahead_lets_the_answer_before_it_out() -> None:
    app = Probe()
    async with connected(app) as (reader, writer):
        app.may_answer.clear()
        writer.write(GET + GET[:-2] + b"X-A: " + b"a" * 2 * MIB)
        await asyncio.sleep(HEAD_SECONDS)
        app.may_answer.set()
        assert await answer(reader) == (200, b"/a 0")
        assert await ended(reader) == b""
    assert app.asked == ["/a"]


async def test_trailers_and_frames_without_end_are_cut() -> None:
    chunked = b"PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    for flood in (b"1\r\nx\r\n0\r\nX-A: " + b"a" * 2 * MIB, b"1;" + b"a" * 2 * MIB):
        async with connected(Probe(), LimitedHeads) as (reader, writer):
            writer.write(chunked + flood)
            with suppress(ConnectionError):  # what was still on its way breaks the line off
                assert await ended(reader) == b""


async def test_many_small_chunks_are_a_body_and_not_a_head() -> None:
    chunked = b"PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with connected(Probe(), LimitedHeads) as (reader, writer):
        for _ in range(2):
            writer.write(chunked + b"1\r\nx\r\n" * 300_000 + b"0\r\nX-A: b\r\n\r\n")
            assert await answer(reader) == (200, b"/a 300000")


@pytest.mark.parametrize("rest", [b"x", b"x" * 19, b"x" * 20])
async def test_after_an_early_answer_a_connection_still_ends_when_idle(rest: bytes) -> None:
    async with connected(Probe(), keep_alive=1) as (reader, writer):
        writer.write(b"PUT /early HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n")
        assert await answer(reader) == (200, b"/early 0")
        writer.write(rest)
        assert await ended(reader) == b""


async def test_an_early_answer_keeps_the_connection_for_the_next_request() -> None:
    async with connected(Probe()) as (reader, writer):
        writer.write(b"PUT /early HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n")
        assert await answer(reader) == (200, b"/early 0")
        writer.write(b"x" * 20 + GET)
        assert await answer(reader) == (200, b"/a 0")


async def test_a_name_with_a_fragments_mark_is_not_cut_but_refused() -> None:
    probe = Probe()
    async with connected(probe) as (reader, writer):
        writer.write(GET.replace(b"/a", b"/a#b"))
        assert (await answer(reader))[0] == 400
    assert probe.asked == []


async def test_nonsense_is_answered_400() -> None:
    async with connected(Probe()) as (reader, writer):
        writer.write(b"nonsense\r\n\r\n")
        assert (await answer(reader))[0] == 400
        assert await ended(reader) == b""


async def test_a_large_upload_takes_no_longer_than_without_limits() -> None:
    taken: dict[type[asyncio.Protocol], float] = {}
    size = 64 * MIB
    for http in (HttpToolsProtocol, LimitedHeads, HttpToolsProtocol, LimitedHeads):
        async with connected(Probe(), http) as (reader, writer):
            # Of the processor, as the other processes of the machine take their time of the clock.
            begun = time.process_time()
            writer.write(b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
            for _ in range(size // MIB):
                writer.write(b"x" * MIB)
                await writer.drain()
            assert await answer(reader) == (200, b"/a %d" % size)
            seconds = time.process_time() - begun
            taken[http] = min(taken.get(http, seconds), seconds)
    # Wide, as caches are uneven; a cost per byte would be far beyond.
    assert taken[LimitedHeads] < 3 * taken[HttpToolsProtocol]
