"""Short answers leave in one piece; long ones do not pile up on their way."""

import asyncio
from typing import Any, cast

from libs.common.http.joined import MOST_HELD, JoinedWrites


class Wire:
    """A transport that keeps what it was given, and when it was closed."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.closed = False

    def is_closing(self) -> bool:
        return self.closed

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.pieces.append(data)

    def close(self) -> None:
        self.closed = True

    def get_extra_info(self, name: str) -> Any:
        return f"the {name}"


def joined(wire: Wire, *, lingers: bool = False) -> JoinedWrites:
    loop = asyncio.get_running_loop()
    return JoinedWrites(cast("asyncio.Transport", wire), loop, lambda: lingers)


async def test_a_head_and_its_body_are_one_piece() -> None:
    wire = Wire()
    transport = joined(wire)
    transport.write(b"head ")
    transport.write(b"body")
    assert wire.pieces == []
    await asyncio.sleep(0)
    assert wire.pieces == [b"head body"]
    transport.write(b"another")
    await asyncio.sleep(0)
    assert wire.pieces == [b"head body", b"another"]


async def test_what_is_long_is_not_held() -> None:
    wire = Wire()
    transport = joined(wire)
    for number in range(100):
        transport.write(b"%03d" % number + bytes(MOST_HELD // 2))
        assert sum(map(len, wire.pieces)) > (number - 2) * MOST_HELD // 2
    await asyncio.sleep(0)
    sent = b"".join(wire.pieces)
    size = 3 + MOST_HELD // 2
    assert [sent[place : place + 3] for place in range(0, len(sent), size)] == [
        b"%03d" % number for number in range(100)
    ]


async def test_what_was_held_for_a_client_that_has_gone_is_dropped() -> None:
    wire = Wire()
    transport = joined(wire)
    transport.write(b"for nobody")
    wire.close()
    await asyncio.sleep(0)
    assert wire.pieces == []


async def test_all_is_sent_before_the_end() -> None:
    wire = Wire()
    transport = joined(wire)
    transport.write(b"the last")
    transport.close()
    assert (wire.pieces, wire.closed) == ([b"the last"], True)
    await asyncio.sleep(0)
    assert transport.get_extra_info("peername") == "the peername"


async def test_one_that_lingers_counts_as_closing_and_is_closed_the_second_time() -> None:
    wire = Wire()
    transport = joined(wire, lingers=True)
    transport.write(b"the last")
    transport.close()
    transport.write(b"too late")
    await asyncio.sleep(0)
    assert (wire.pieces, wire.closed, transport.is_closing()) == ([b"the last"], False, True)
    transport.close()
    assert wire.closed
