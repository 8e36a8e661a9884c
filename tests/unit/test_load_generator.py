"""The load generator counts right, wrong, refused and broken answers apart."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.load.generator import Span, drive
from tests.load.tally import Tally, percentile

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"


class Numbers:
    """Asks for nothing in particular, and wants to hear `good`."""

    def __init__(self) -> None:
        self.asked = 0

    def request(self) -> tuple[bytes, None]:
        """One more."""
        self.asked += 1
        return b"GET / HTTP/1.1\r\n\r\n", None

    def right(self, _: None, body: bytes) -> bool:
        """Whether the answer is the one that was hoped for."""
        return body == b"good"


async def load(serve: Serve) -> tuple[Tally, Numbers]:
    """A short round with four clients against a server that treats connections with `serve`."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    numbers = Numbers()
    try:
        place = server.sockets[0].getsockname()[:2]
        return await drive(place, numbers, 4, Span(0.05, 0.2)), numbers
    finally:
        server.close()


async def asked(reader: asyncio.StreamReader) -> bool:
    """Wait for a request; false when the client has left."""
    try:
        await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return False
    return True


async def test_every_right_answer_is_acknowledged_and_only_the_span_is_measured() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await asked(reader):
            writer.write(GOOD)
        writer.close()

    tally, numbers = await load(serve)
    assert tally.acknowledged == numbers.asked > tally.measured > 0
    assert tally.failed == 0
    assert len(tally.latencies) == tally.measured
    assert 0 < tally.milliseconds(0.5) <= tally.milliseconds(0.99) < 250
    assert tally.rate == tally.measured / tally.seconds


async def test_wrong_and_refused_answers_are_not_acknowledged() -> None:
    answers = (GOOD, GOOD.replace(b"good", b"evil"), GOOD.replace(b"200 OK", b"503 Away"))
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        while await asked(reader):
            served += 1
            writer.write(answers[served % 3])
        writer.close()

    tally, numbers = await load(serve)
    assert min(tally.acknowledged, tally.wrong, tally.refused[503]) > 0
    assert tally.acknowledged + tally.wrong + tally.refused[503] == numbers.asked
    assert "evil" in tally.example or "503" in tally.example


async def test_a_cut_connection_is_counted_and_opened_again() -> None:
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        while await asked(reader):
            served += 1
            if served % 3 == 0:
                break
            writer.write(GOOD)
        writer.close()

    tally, numbers = await load(serve)
    assert tally.broken > 0
    assert tally.acknowledged + tally.broken == numbers.asked


def test_percentiles_by_nearest_rank() -> None:
    hundred = [float(number) for number in range(1, 101)]
    assert [percentile(hundred, share) for share in (0.0, 0.5, 0.95, 0.99, 1.0)] == [
        *(1.0, 50.0, 95.0, 99.0, 100.0)
    ]
    assert percentile([7.0], 0.99) == 7.0
