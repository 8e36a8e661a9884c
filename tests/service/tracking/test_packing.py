"""Packed points: whatever was stored, packed and removed, histories are those of a plain list."""

import asyncio
import math
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.tracking.making import new_run, points_of
from tests.service.tracking.owners import new_model
from tests.service.tracking.packing import (
    LEAST,
    MOST,
    Kept,
    Point,
    apart,
    fold,
    in_pages,
    line_of,
    log,
    of_model,
    packed,
    remove_past,
    sampled,
    segments,
    stored,
)
from tests.serving import Client, new_tenant

VALUES = st.sampled_from(
    [0.0, -0.0, 0.1, 0.5, -1.5, 1e-310, 1e38, 1e300, math.nan, math.inf, -math.inf]
)
NEAR = st.tuples(VALUES, st.integers(0, 5), st.integers(-3, 3))
FAR = st.tuples(VALUES, st.sampled_from([0, 1, MOST]), st.sampled_from([LEAST, -1, 0, MOST]))
LINES = st.builds(
    line_of,
    *(st.integers(-40, 40), st.integers(2, 60), st.sampled_from([0, 1, 3, 2**31])),
    *(st.integers(0, 100), st.integers(0, 3), st.sampled_from([0.1, 0.5])),
)
STORE = st.tuples(
    st.just("store"),
    st.booleans(),
    LINES | st.lists(NEAR, min_size=1, max_size=30) | st.lists(FAR, min_size=1, max_size=12),
)
# What comes after all that is there, as a training logs.
FOLLOW = st.tuples(
    st.just("follow"),
    st.booleans(),
    st.builds(
        line_of,
        *(st.just(0), st.integers(1, 60), st.sampled_from([1, 1, 3, 2**31])),
        *(st.just(0), st.integers(0, 3), st.sampled_from([0.1, 0.5])),
    ),
)
PACK = st.tuples(st.just("pack"), st.just(False), st.sampled_from([1, 2, 8]))
REMOVE = st.tuples(st.just("remove"), st.just(False), st.sampled_from([-2, 0, 3, 20]))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    plan=st.lists(FOLLOW | PACK, max_size=8) | st.lists(STORE | FOLLOW | PACK | REMOVE, max_size=8),
    steps=st.tuples(st.sampled_from([LEAST, -2, 0]), st.sampled_from([0, 5, 30, MOST])),
    most=st.integers(1, 25),
)
async def test_histories_are_those_of_a_plain_list(
    tracking: Client, plan: list[tuple[str, bool, Any]], steps: tuple[int, int], most: int
) -> None:
    client = tracking.of(new_tenant())
    run_id, model_id = await new_run(client), await new_model(client)
    kept = Kept()
    for what, flag, given_ in plan:
        if what in ("store", "follow"):
            points = kept.following(given_) if what == "follow" else given_
            await log(client, run_id, points, model_id if flag else None)
            kept.store(points, of_model=flag)
        elif what == "pack":
            await fold(client, run_id, given_)
        else:
            await remove_past(client, run_id, given_)
            kept.remove_past(given_)
    expected = kept.history()
    assert await points_of(client, run_id, "m") == expected
    assert await in_pages(client, run_id, most) == expected
    assert await sampled(client, run_id, *steps, most) == kept.samples(*steps, most)
    assert await of_model(client, model_id) == set(kept.of_model)


async def test_samples_are_evenly_taken_over_segments_and_points(client: Client) -> None:
    run_id = await new_run(client)
    kept = Kept()
    for count in (20, 1, 3, 50, 8, 1):
        points = kept.following(line_of(0, count, 2, 0, 3, 0.1))
        await log(client, run_id, points, None)
        kept.store(points, of_model=False)
    assert (await segments(client, run_id), await apart(client, run_id)) == (3, 5)
    for first, last in ((LEAST, MOST), (31, 101), (41, 44)):
        for most in (1, 2, 3, 5, 10, 19, 20, 21, 41, 82, 83, 84):
            found = await sampled(client, run_id, first, last, most)
            assert found == kept.samples(first, last, most), (first, last, most)


async def test_pieces_that_meet_at_one_step_and_time_are_put_in_order(client: Client) -> None:
    line = line_of(0, 20, 1, 0, 1, 0.1)
    value, time, step = line[-1]
    same, less, more = line[-1], (value - 1, time, step), (value + 1, time, step)
    for meeting in ([same], [less], [less, same, more], line[-9:], [*line[-9:], less]):
        run_id = await new_run(client)
        kept = Kept()
        for points in (line, meeting):
            await log(client, run_id, points, None)
            kept.store(points, of_model=False)
        assert await in_pages(client, run_id, 6) == kept.history()
        for most in (3, 10, 19, 20, 21):
            found = await sampled(client, run_id, LEAST, MOST, most)
            assert found == kept.samples(LEAST, MOST, most), (meeting, most)


async def test_pages_are_full_wherever_pieces_end(client: Client) -> None:
    run_id = await new_run(client)
    kept = Kept()
    for count in (18, 20, 5):
        points = kept.following(line_of(0, count, 1, 0, 1, 0.1))
        for _ in range(2):
            await log(client, run_id, points, None)
        kept.store(points, of_model=False)
    for size in (18, 19, 20, 30):
        assert await in_pages(client, run_id, size) == kept.history()


async def test_what_is_of_a_model_is_packed_by_itself(client: Client) -> None:
    run_id, model_id = await new_run(client), await new_model(client)
    kept = Kept()
    for count in (10, 3, 10, 3, 10, 3):
        for flag in (True, False):
            points = kept.following(line_of(0, count, 1, 0, 1, 0.1))
            await log(client, run_id, points, model_id if flag else None)
            kept.store(points, of_model=flag)
    await fold(client, run_id, 1)
    assert (await segments(client, run_id), await apart(client, run_id)) == (2, 0)
    assert await of_model(client, model_id) == set(kept.of_model)
    assert await points_of(client, run_id, "m") == kept.history()


async def test_packing_changes_nothing_that_is_read_meanwhile(client: Client) -> None:
    run_id = await new_run(client)
    logged: list[Point] = []
    ended = asyncio.Event()

    async def write() -> None:
        for number in range(60):
            points = [(0.1, 1, number * 5 + n) for n in range(5)]
            await log(client, run_id, points, None)
            logged.extend(points)
        ended.set()

    async def read() -> None:
        while not ended.is_set():
            before = list(logged)
            found = await points_of(client, run_id, "m")
            assert found[: len(before)] == before
            assert len(set(found)) == len(found)

    async def go_on_packing() -> None:
        while not ended.is_set():
            await fold(client, run_id, 8)

    await asyncio.gather(write(), read(), go_on_packing())
    assert await points_of(client, run_id, "m") == logged
    assert await stored(client, run_id) == len(logged)


async def test_an_ended_run_is_packed_and_a_running_one_when_it_pays(client: Client) -> None:
    running, ended = await new_run(client), await new_run(client)
    for run_id in (running, ended):
        for number in range(10):
            await log(client, run_id, [(0.1, number, number), (0.1, number, 100 + number)], None)
    await client.post("runs/update", {"run_id": ended, "status": "FINISHED"})
    before = [await points_of(client, run_id, "m") for run_id in (running, ended)]
    await packed(client)
    assert await apart(client, running) == 20
    assert await apart(client, ended) == 0
    for number in range(40):
        await log(client, running, [(0.2, number, 1000 + number * 6 + n) for n in range(6)], None)
    await packed(client)
    assert await apart(client, running) == 0
    after = [await points_of(client, run_id, "m") for run_id in (running, ended)]
    assert after[1] == before[1]
    assert len(after[0]) == 20 + 240


async def test_small_segments_become_one(client: Client) -> None:
    run_id = await new_run(client)
    for number in range(5):
        await log(client, run_id, [(0.1 * n, n, number * 10 + n) for n in range(10)], None)
    before = await points_of(client, run_id, "m")
    assert await segments(client, run_id) == 5
    await client.post("runs/update", {"run_id": run_id, "status": "FINISHED"})
    await packed(client)
    assert await segments(client, run_id) == 1
    assert await points_of(client, run_id, "m") == before
    await packed(client)
    assert await segments(client, run_id) == 1
