"""Live events without a platform: ids, what is grouped and thinned, and a listener's bounds."""

import asyncio
import re
from collections.abc import Callable

import msgspec
import pytest

from libs.common.contracts.tracking import RUN_METRICS, RUNS
from libs.common.service import Place
from services.tracking.live import listener as listeners
from services.tracking.live.channel import Channel, Subject
from services.tracking.live.items import MOST_POINTS, Item, messages
from services.tracking.live.listener import Listener
from services.tracking.live.places import read, written
from services.tracking.schemas import live

METRICS: Place = (RUN_METRICS.name, 3)
CHANGES: Place = (RUNS.name, 7)
RUN = "a" * 32
START = {METRICS: 10, CHANGES: 20}


async def nothing() -> None:
    """Whoever listens may."""


async def blocked(hears: Listener, meanwhile: Callable[[], None]) -> None:
    """Send to a client that takes nothing, until that is broken off."""
    async with asyncio.timeout(None) as timeout:
        hears.watched_by(timeout)
        meanwhile()
        await asyncio.Event().wait()


def points(offset: int, *steps: int) -> Item:
    """Points of a run."""
    told = [live.Point(RUN, "loss", 0.5, 1, step) for step in steps]
    return Item(METRICS, offset, "t", 1, RUN, points=told)


def details(offset: int) -> Item:
    """Params of a run."""
    return Item(CHANGES, offset, "t", 1, RUN, told=live.Details(run_id=RUN, params={"a": "b"}))


def told(raw: bytes) -> tuple[str, str, list[int]]:
    """An event's name, id and steps."""
    found = re.fullmatch(rb"event: (\w+)\nid: (\S+)\ndata: (.*)\n\n", raw)
    assert found is not None
    data = msgspec.json.decode(found[3])
    steps = [point["step"] for point in data.get("points", [])]
    return found[1].decode(), found[2].decode(), steps


def test_an_id_is_read_as_it_was_written() -> None:
    assert written(START) == "p3.10-r7.20"
    assert read(written(START)) == START


@pytest.mark.parametrize(
    "text", ["", "x", "p3", "m3.1", "p3.1-", "p3.-1", "q3.1", "p3.1 ", "p1.1-" * 600]
)
def test_what_is_no_id_is_none(text: str) -> None:
    assert read(text) is None


def test_points_that_follow_each_other_are_one_event_and_every_id_leads_on() -> None:
    items = [points(10, 1), points(11, 2, 3), details(20), points(15, 4)]
    made = [told(raw) for raw in messages(items, START, {METRICS: 99, CHANGES: 88})]
    assert made == [
        ("metrics", "p3.12-r7.20", [1, 2, 3]),
        ("details", "p3.12-r7.21", []),
        ("metrics", "p3.99-r7.88", [4]),
    ]


def test_a_flood_of_points_is_thinned_and_says_so() -> None:
    many = points(10, *range(MOST_POINTS * 7 + 1))
    (raw,) = messages([many], START, START)
    steps = told(raw)[2]
    left_out = msgspec.json.decode(raw.partition(b"data: ")[2])["left_out"]
    assert len(steps) <= MOST_POINTS + 1
    assert steps[-1] == MOST_POINTS * 7
    assert len(steps) + left_out == MOST_POINTS * 7 + 1


async def test_a_channel_tells_again_what_it_has_kept_and_nothing_else() -> None:
    channel = Channel(Subject("t", RUN), dict(START))
    hears = Listener(nothing)
    channel.joined(hears)
    hears.start([])
    for offset in range(10, 20):
        channel.take(points(offset, offset))
    channel.tell({METRICS: 20, CHANGES: 20}, room=0)
    assert told(await hears.taken())[2] == list(range(10, 20))
    kept = channel.since({METRICS: 14, CHANGES: 20})
    assert kept is not None
    assert [item.offset for item in kept] == list(range(14, 20))
    for offset in range(20, 300):
        channel.take(points(offset, offset))
    channel.tell({METRICS: 300, CHANGES: 20}, room=0)
    assert channel.since({METRICS: 14, CHANGES: 20}) is None
    assert channel.floor[METRICS] == 200


async def test_what_comes_while_a_listener_begins_follows_what_it_begins_with() -> None:
    hears = Listener(nothing)
    hears.push(b"second")
    hears.start([b"first"])
    hears.push(b"third")
    assert await hears.taken() == b"firstsecondthird"
    hears.end("time")
    assert (await hears.taken()).startswith(b"retry: ")
    assert await hears.taken() == b""


async def test_a_listener_that_is_too_far_behind_is_broken_off() -> None:
    hears = Listener(nothing)
    hears.start([])

    def floods() -> None:
        for _ in range(listeners.MOST_BYTES // 1_000 + 1):
            hears.push(b"x" * 1_000)

    with pytest.raises(TimeoutError):
        await blocked(hears, floods)


async def test_a_quiet_listener_is_told_where_it_stands_and_one_that_does_not_read_is_let_go() -> (
    None
):
    hears = Listener(nothing)
    hears.start([])
    now = asyncio.get_running_loop().time()
    hears.look(now + listeners.QUIET_SECONDS + 1, START)
    assert await hears.taken() == b"id: p3.10-r7.20\n\n"
    hears.push(b"unread")
    with pytest.raises(TimeoutError):
        await blocked(hears, lambda: hears.look(now + 2 * listeners.BEHIND_SECONDS, START))
