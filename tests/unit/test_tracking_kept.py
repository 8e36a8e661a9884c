"""What is kept of runs: its bound, its seal, and Redis' protocol byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from services.tracking.kept.link import AWAY, Away, Link, command
from services.tracking.kept.memory import ENTRY_BYTES, LARGEST_SHARE, Entry, Memory, Shown
from services.tracking.kept.replies import Item, Reply, ReplyError, next_reply
from services.tracking.kept.sealing import RunSeal
from tests.waiting import eventually

ITEMS = st.one_of(st.none(), st.integers(-9, 9), st.binary(max_size=20), st.just(b"$-1\r\n"))


def written(reply: Reply) -> bytes:
    """A reply as Redis sends it."""
    if isinstance(reply, list):
        return b"*%d\r\n" % len(reply) + b"".join(written(item) for item in reply)
    if reply is None:
        return b"$-1\r\n"
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    return b"$%d\r\n%b\r\n" % (len(reply), reply)


@given(st.lists(st.one_of(ITEMS, st.lists(ITEMS, max_size=4)), max_size=4))
def test_replies_are_read_however_they_are_cut(replies: list[Item | list[Item]]) -> None:
    data = b"".join(written(reply) for reply in replies)
    for cut in range(len(data) + 1):
        found, at = [], 0
        for known in (data[:cut], data):
            while (one := next_reply(known, at)) is not None:
                found.append(one[0])
                at = one[1]
        assert found == replies


def test_a_refusal_is_raised_also_within_a_list() -> None:
    for data in (b"-READONLY You can't write\r\n", b"*2\r\n:1\r\n-ERR no\r\n", b"?\r\n"):
        with pytest.raises(ReplyError):
            next_reply(data, 0)


def entry(size: int, stamp: bytes = b"s", workspace_id: int = 1) -> Entry:
    content = b"x" * size
    return Entry(workspace_id, stamp, Shown(content, content))


def test_memory_holds_no_more_than_it_may_and_drops_what_was_longest_not_asked_for() -> None:
    one = ENTRY_BYTES + 100
    memory = Memory(LARGEST_SHARE * one)
    runs = [uuid4() for _ in range(LARGEST_SHARE + 1)]
    for run in runs[:-1]:
        memory.put(1, run, entry(100))
    assert memory.get(1, 1, runs[0], b"s")
    memory.put(1, runs[-1], entry(100))
    held = [memory.get(1, 1, run, b"s") is not None for run in runs]
    assert held == [True, False, *[True] * (LARGEST_SHARE - 1)]
    assert memory.bytes == LARGEST_SHARE * one


def test_a_run_that_would_push_out_many_is_not_kept() -> None:
    memory, run, other = Memory(LARGEST_SHARE * 1000), uuid4(), uuid4()
    memory.put(1, other, entry(100))
    memory.put(1, run, entry(100))
    memory.put(1, run, entry(1000))
    assert memory.get(1, 1, run, b"s") is None
    assert memory.get(1, 1, other, b"s") is not None
    assert memory.bytes == ENTRY_BYTES + 100


def test_memory_gives_nothing_of_another_tenant_workspace_or_stamp() -> None:
    memory, run = Memory(10_000), uuid4()
    memory.put(1, run, entry(1))
    assert memory.get(1, 1, run, b"s")
    for tenant_no, workspace_id, stamp in ((2, 1, b"s"), (1, 2, b"s"), (1, 1, b"t")):
        assert memory.get(tenant_no, workspace_id, run, stamp) is None
    memory.drop(1, run)
    assert memory.get(1, 1, run, b"s") is None
    assert memory.bytes == 0


@pytest.mark.parametrize("shown", [Shown(b"whole", b"listed"), Shown(b"both", b"both")])
def test_what_is_sealed_opens_under_its_own_name_stamp_and_secret_alone(shown: Shown) -> None:
    seal = RunSeal("secret")
    value = seal.seal(b"name", b"stamp", shown)
    assert RunSeal("secret").open(b"name", b"stamp", value) == shown
    assert shown.whole not in value
    for other in (b"", b"x", value[:-1], value + b"x", value[:20] + b"\x00" + value[21:]):
        assert seal.open(b"name", b"stamp", other) is None
    assert seal.open(b"game", b"stamp", value) is None
    assert seal.open(b"name", b"later", value) is None
    assert RunSeal("other").open(b"name", b"stamp", value) is None


Says = Callable[[bytes], bytes]


@asynccontextmanager
async def linked(says: Says, scheme: str = "redis") -> AsyncIterator[Link]:
    """A link to a server that answers each packet with what `says` makes of it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(100_000):
                writer.write(says(data))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    link = Link(f"{scheme}://:word@127.0.0.1:{port}/0")
    task = asyncio.create_task(link.run())
    try:
        yield link
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        server.close()


def counted(data: bytes) -> bytes:
    """+OK for each command, as it takes nothing but its number to see which is which."""
    return b"+OK\r\n" * data.count(b"*")


async def many_at_once() -> None:
    """What is asked in one turn of the loop is one packet, and each is answered."""
    packets: list[bytes] = []

    def says(data: bytes) -> bytes:
        packets.append(data)
        return counted(data)

    async with linked(says) as link:
        await eventually(lambda: link.unbroken > 0)
        packets.clear()
        answers = [link.ask(b"GET", b"a%d" % n) for n in range(20)]
        assert [await answer for answer in answers] == [b"OK"] * 20
        assert packets == [b"".join(command((b"GET", b"a%d" % n)) for n in range(20))]


async def test_what_is_asked_at_once_goes_out_at_once() -> None:
    await many_at_once()


def test_it_works_on_the_loop_of_a_deployment_too() -> None:
    uvloop.run(many_at_once())


async def test_whoever_is_refused_is_away_and_connects_anew() -> None:
    """A replica that may not be written, or a Redis that is full, must not pass for a deletion."""
    refusing = True

    def says(data: bytes) -> bytes:
        return b"-READONLY no\r\n" if b"DEL" in data and refusing else counted(data)

    async with linked(says) as link:
        await eventually(lambda: link.unbroken > 0)
        waiting = link.ask(b"GET", b"a"), link.ask(b"DEL", b"b")
        assert [isinstance(await answer, Away) for answer in waiting] == [True, True]
        await link.deliver(b"DEL", b"c")
        assert link.unbroken == 0
        assert await link.ask(b"GET", b"a") is AWAY
        refusing = False
        await eventually(lambda: link.unbroken > 0)
        assert await link.ask(b"GET", b"a") == b"OK"


async def test_a_silent_redis_is_asked_no_more_until_it_speaks() -> None:
    def says(data: bytes) -> bytes:
        return b"" if b"GET" in data else counted(data)

    async with linked(says) as link:
        await eventually(lambda: link.unbroken > 0)
        assert await link.ask(b"GET", b"a") is AWAY
        began = asyncio.get_running_loop().time()
        assert await link.ask(b"GET", b"a") is AWAY
        assert asyncio.get_running_loop().time() - began < 0.02
        await link.deliver(b"DEL", b"a")
        assert link.unbroken == 0
