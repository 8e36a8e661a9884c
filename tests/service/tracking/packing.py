"""A run's points as a plain list, and what is stored, packed, removed and read of the run."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from libs.common.events.outbox import Caused
from services.tracking.commands.packing import pack
from services.tracking.store import packing, removal
from tests.service.tracking.making import new_run
from tests.serving import Client

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


def line_of(first: int, count: int, every: int, time: int, pace: int, value: float) -> list[Point]:
    return [(value * n, time + pace * n, first + every * n) for n in range(count)]


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
        await _value(
            client, "SELECT run_no FROM runs WHERE tenant_no = $1 AND run_id = $2", run_id
        ),
        await _value(client, "SELECT max(key_no) FROM metric_keys WHERE tenant_no = $1") or 0,
    )


async def apart(client: Client, run_id: str) -> int:
    """How many points lie in rows of their own."""
    sql = "SELECT count(*) FROM metric_points WHERE tenant_no = $1 AND run_no = $2"
    return await _value(client, sql, (await numbers(client, run_id))[0])


async def segments(client: Client, run_id: str) -> int:
    sql = "SELECT count(*) FROM metric_segments WHERE tenant_no = $1 AND run_no = $2"
    return await _value(client, sql, (await numbers(client, run_id))[0])


async def stored(client: Client, run_id: str) -> int:
    """How many points are stored, equal ones as often as they are."""
    sql = "SELECT count(*) FROM points_of($1, $2, $3, $4, $5)"
    return await _value(client, sql, *await numbers(client, run_id), LEAST, MOST)


async def _value(client: Client, sql: str, *values: object) -> int:
    number = client.tenant.number
    async with client.running.database.reading(number) as connection:
        found: int = await connection.fetchval(sql, number, *values)
    return found
