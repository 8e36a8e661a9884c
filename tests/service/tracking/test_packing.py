"""Packed points: whatever was stored, packed and removed, histories are those of a plain list."""

import asyncio
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.common.events.outbox import Caused
from services.tracking.commands.packing import pack
from services.tracking.store import packing, removal
from tests.service.tracking.making import new_run, points_of
from tests.service.tracking.owners import new_model
from tests.serving import Client, new_tenant

# (value, time, step), as a history tells it; not-a-number as a text.
Point = tuple[Any, int, int]
Order = tuple[int, int, float, bool]
LEAST, MOST = -(2**63), 2**63 - 1
MANY = sys.float_info.max


@dataclass
class Kept:
    """A run's points as a list, and which of them are of the logged model."""

    points: list[Point] = field(default_factory=list)
    of_model: list[Point] = field(default_factory=list)
    forked: int = LEAST

    def store(self, points: Sequence[Point], *, of_model: bool) -> None:
        stored = [(_as_stored(value), time, step) for value, time, step in points]
        self.points += stored
        if of_model:
            self.of_model += stored

    def following(self, points: Sequence[Point]) -> list[Point]:
        """These points, moved to after all that are there, where there is room."""
        time = max((time for _, time, _ in self.points), default=0)
        last = max((step for _, _, step in self.points), default=0)
        if max(time, last) > 2**62:
            return list(points)
        return [(value, time + at, last + 1 + step) for value, at, step in points]

    def remove_past(self, step: int) -> None:
        """What forks up to now, and one at `step`, leave when the run is gone."""
        self.forked = max(self.forked, step)
        self.points = [point for point in self.points if point[2] <= self.forked]
        self.of_model = []

    def history(self) -> list[Point]:
        return sorted(set(self.points), key=_by_time)

    def samples(self, first: int, last: int, most: int) -> list[Point]:
        points = sorted({p for p in self.points if first <= p[2] <= last}, key=_by_step)
        if len(points) <= most:
            return points
        each, longer = divmod(len(points), most)
        found, place = [], 0
        for part in range(most):
            found.append(points[place])
            place += each + (part < longer)
        return [*found[:-1], points[-1]]


def _as_stored(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    return math.copysign(MANY, value) if math.isinf(value) else value


def _by_time(point: Point) -> Order:
    value, time, step = point
    return time, step, 0.0 if value == "NaN" else value, value == "NaN"


def _by_step(point: Point) -> Order:
    time, step, value, missing = _by_time(point)
    return step, time, value, missing


def _line(first: int, count: int, every: int, time: int, pace: int, value: float) -> list[Point]:
    return [(value * n, time + pace * n, first + every * n) for n in range(count)]


VALUES = st.sampled_from(
    [0.0, -0.0, 0.1, 0.5, -1.5, 1e-310, 1e38, 1e300, math.nan, math.inf, -math.inf]
)
NEAR = st.tuples(VALUES, st.integers(0, 5), st.integers(-3, 3))
FAR = st.tuples(VALUES, st.sampled_from([0, 1, MOST]), st.sampled_from([LEAST, -1, 0, MOST]))
LINES = st.builds(
    _line,
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
        _line,
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
        points = kept.following(_line(0, count, 2, 0, 3, 0.1))
        await log(client, run_id, points, None)
        kept.store(points, of_model=False)
    assert (await segments(client, run_id), await apart(client, run_id)) == (3, 5)
    for first, last in ((LEAST, MOST), (31, 101), (41, 44)):
        for most in (1, 2, 3, 5, 10, 19, 20, 21, 41, 82, 83, 84):
            found = await sampled(client, run_id, first, last, most)
            assert found == kept.samples(first, last, most), (first, last, most)


async def test_pieces_that_meet_at_one_step_and_time_are_put_in_order(client: Client) -> None:
    run_id = await new_run(client)
    kept = Kept()
    line = _line(0, 20, 1, 0, 1, 0.1)
    value, time, step = line[-1]
    for points in (line, [(value + 1, time, step), line[-1], (value - 1, time, step)], line[-9:]):
        await log(client, run_id, points, None)
        kept.store(points, of_model=False)
    assert (await segments(client, run_id), await apart(client, run_id)) == (2, 3)
    assert await in_pages(client, run_id, 6) == kept.history()
    for most in (3, 10, 21):
        assert await sampled(client, run_id, 12, MOST, most) == kept.samples(12, MOST, most)
        assert await sampled(client, run_id, LEAST, MOST, most) == kept.samples(LEAST, MOST, most)


async def test_what_is_of_a_model_is_packed_by_itself(client: Client) -> None:
    run_id, model_id = await new_run(client), await new_model(client)
    kept = Kept()
    for count in (10, 3, 10, 3, 10, 3):
        for flag in (True, False):
            points = kept.following(_line(0, count, 1, 0, 1, 0.1))
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


async def log(client: Client, run_id: str, points: Sequence[Point], model_id: str | None) -> None:
    context = {} if model_id is None else {"model_id": model_id}
    metrics = [
        {"key": "m", "value": _sent(value), "timestamp": time, "step": step, **context}
        for value, time, step in points
    ]
    await client.post("runs/log-batch", {"run_id": run_id, "metrics": metrics})


def _sent(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    return ("-Infinity" if value < 0 else "Infinity") if math.isinf(value) else value


async def in_pages(client: Client, run_id: str, size: int) -> list[Point]:
    found: list[Point] = []
    token = ""
    while True:
        query = f"run_id={run_id}&metric_key=m&max_results={size}{token}"
        answer = await client.get("metrics/get-history", query)
        page = answer.get("metrics", [])
        found += [(p["value"], p["timestamp"], p["step"]) for p in page]
        if not answer.get("next_page_token"):
            return found
        assert len(page) == size
        token = f"&page_token={answer['next_page_token']}"


async def sampled(client: Client, run_id: str, first: int, last: int, most: int) -> list[Point]:
    query = f"run_ids={run_id}&metric_key=m&max_results={most}&start_step={first}&end_step={last}"
    answer = await client.get("metrics/get-history-bulk-interval", query)
    return [(p["value"], p["timestamp"], p["step"]) for p in answer.get("metrics", [])]


async def of_model(client: Client, model_id: str) -> set[Point]:
    answer = await client.get(f"logged-models/{model_id}")
    found = [
        (p["value"], p["timestamp"], p["step"])
        for p in answer["model"].get("data", {}).get("metrics", [])
    ]
    assert len(set(found)) == len(found)
    return set(found)


async def fold(client: Client, run_id: str, least: int) -> None:
    """Pack what a run has of `m`, where it is so many points."""
    tenant_no = client.tenant.number
    run_no, key_no = await numbers(client, run_id)
    metric = packing.Metric(run_no, key_no, least, min(least, 2))
    async with client.running.database.transaction(tenant_no) as connection:
        await packing.fold(connection, tenant_no, metric)


async def packed(client: Client) -> None:
    """One pass of the packer."""
    await pack(client.running, Caused(client.tenant.id, client.tenant.number, "test"), 20)


async def remove_past(client: Client, run_id: str, step: int) -> None:
    """Remove what no fork at `step` shows, as if the run were gone."""
    tenant_no = client.tenant.number
    run_no, _ = await numbers(client, run_id)
    fork_no, _ = await numbers(client, await new_run(client))
    async with client.running.database.transaction(tenant_no) as connection:
        await connection.execute(
            "INSERT INTO leftover_points (tenant_no, run_no) VALUES ($1, $2)", tenant_no, run_no
        )
        await connection.execute(
            "INSERT INTO run_ancestry (tenant_no, run_no, ancestor_no, up_to)"
            " VALUES ($1, $2, $3, $4)",
            *(tenant_no, fork_no, run_no, step),
        )
        while await removal.remove_points(connection, tenant_no) is not None:
            pass


async def numbers(client: Client, run_id: str) -> tuple[int, int]:
    return (
        await value(client, "SELECT run_no FROM runs WHERE tenant_no = $1 AND run_id = $2", run_id),
        await value(client, "SELECT max(key_no) FROM metric_keys WHERE tenant_no = $1") or 0,
    )


async def apart(client: Client, run_id: str) -> int:
    """How many points lie in rows of their own."""
    sql = "SELECT count(*) FROM metric_points WHERE tenant_no = $1 AND run_no = $2"
    return await value(client, sql, (await numbers(client, run_id))[0])


async def segments(client: Client, run_id: str) -> int:
    sql = "SELECT count(*) FROM metric_segments WHERE tenant_no = $1 AND run_no = $2"
    return await value(client, sql, (await numbers(client, run_id))[0])


async def stored(client: Client, run_id: str) -> int:
    """How many points are stored, equal ones as often as they are."""
    sql = "SELECT count(*) FROM points_of($1, $2, $3, $4, $5)"
    return await value(client, sql, *await numbers(client, run_id), LEAST, MOST)


async def value(client: Client, sql: str, *values: object) -> int:
    number = client.tenant.number
    async with client.running.database.reading(number) as connection:
        found: int = await connection.fetchval(sql, number, *values)
    return found
