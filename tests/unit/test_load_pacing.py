"""The open loop asks when it is due, counts from then, and charges a stall for what had to wait."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.load.crowd import Crowd
from tests.load.pacing import Pool, Schedule, paced
from tests.load.tally import Tally

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"


class Plain:
    """Asks for nothing in particular, and wants to hear `good`."""

    def request(self) -> tuple[bytes, None]:
        """One more."""
        return b"GET / HTTP/1.1\r\n\r\n", None

    def right(self, _: None, body: bytes) -> bool:
        """Whether the answer is the one that was hoped for."""
        return body == b"good"


async def asked(reader: asyncio.StreamReader) -> bool:
    """Wait for a request; false when the client has left."""
    try:
        await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return False
    return True


async def load(serve: Serve, rate: float, seconds: float, connections: int) -> Tally:
    """An open loop against a server that treats connections with `serve`."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        place = server.sockets[0].getsockname()[:2]
        return await paced(place, Plain(), rate, seconds, connections)
    finally:
        server.close()


def test_all_requests_are_due_once_and_evenly() -> None:
    schedule = Schedule(100, 5.0, 1.0)
    assert schedule.due(4.9) == []
    assert schedule.due(5.0) == [5.0]
    assert schedule.due(5.0) == []
    # A look that comes late finds all that has come due meanwhile, each at its own time.
    assert schedule.due(5.035) == pytest.approx([5.01, 5.02, 5.03])
    before = schedule.over
    assert len(schedule.due(99.0)) == 96
    assert (before, schedule.over) == (False, True)
    assert schedule.due(100.0) == []


async def test_every_due_request_is_asked_and_answered() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await asked(reader):
            writer.write(GOOD)
        writer.close()

    tally = await load(serve, 400, 0.25, 4)
    assert tally.acknowledged == tally.measured == len(tally.latencies) == 100
    assert tally.failed == 0


async def test_a_stall_is_charged_to_all_that_were_due_meanwhile() -> None:
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        while await asked(reader):
            served += 1
            if served == 10:
                await asyncio.sleep(0.2)
            writer.write(GOOD)
        writer.close()

    tally = await load(serve, 100, 0.5, 1)
    assert tally.acknowledged == 50
    # About as many as were due in the stall waited for its end; a closed loop would show one.
    assert sum(latency > 0.05 for latency in tally.latencies) >= 10


async def test_wrong_answers_and_ended_connections_are_counted_apart() -> None:
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        while await asked(reader):
            served += 1
            if served == 20:
                break
            writer.write(GOOD if served % 5 else GOOD.replace(b"good", b"evil"))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        pool = Pool(server.sockets[0].getsockname()[:2], Plain())
        await pool.connect(2)
        tally = await pool.run(200, 0.2)
        await pool.leave()
    finally:
        server.close()
    assert (tally.wrong, tally.broken, pool.closed) == (7, 1, 1)
    assert tally.acknowledged + tally.failed == 40
    assert Crowd(2, 2, pool.closed, tally).errors == 9
