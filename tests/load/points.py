"""Metric points: bytes on disk, rates of storing and packing, and how long histories take to read.

`python -m tests.load.points` starts the embedded parts, `mlflow server` and tracking in this process,
and prints tables for docs/performance.md; `--table 100000000` fills the table further (once, for an
hour or less). Without the gateway: the bench asks through it.
"""

import argparse
import asyncio
import logging
import os
import random
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import psutil
import structlog

from libs.common.events.outbox import Caused
from libs.embedded import Parts, Progress, platform
from libs.embedded.environment import as_user
from libs.embedded.ports import HOST
from services.tracking.commands.packing import pack
from services.tracking.service import SERVICE
from tests.load.peer import Peer, peer
from tests.load.point_seeding import fill, fresh_tenant, made_runs, store, their_run
from tests.load.resources import tree
from tests.serving import Client, served

POINTS: Final = 200_000
RUN: Final = 10_000
LENGTHS: Final = (10_000, 100_000, 1_000_000)
TABLES: Final = (1_000_000, 10_000_000)
SAMPLES: Final = 2_000
ASKED: Final = 60
UNCOUNTED: Final = 3
PAGE: Final = 1_000
_SIZE: Final = """
SELECT pg_total_relation_size('metric_points') + pg_total_relation_size('metric_segments')
"""
# Without what is free to be used again.
_PACKED: Final = "SELECT pg_total_relation_size('metric_segments')"
# How points come: what one flush holds as runs, keys and steps.
FORMS: Final = {
    "one by one, 64 to a flush": (64, 1, 1),
    "100 of 10 metrics": (1, 10, 10),
    "1,000 of one metric": (1, 1, 1000),
}


async def main() -> None:
    """Seed, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=int, default=TABLES[-1], help="points in the end")
    most = parser.parse_args().table
    with tempfile.TemporaryDirectory() as folder:
        env = {k: v for k, v in os.environ.items() if not k.startswith("MAESTRO_")}
        async with (
            platform(Path(folder) / "home", {**env, "MAESTRO_PORT": "0"}, Progress(print)) as parts,
            served(SERVICE, {**parts.environment, "TRACKING_PACK_SECONDS": "86400"}) as client,
            peer(superuser(parts), Path(folder) / "peer") as other,
        ):
            # The topics of services that do not run here are not there, which is no matter.
            logging.disable()
            structlog.configure(
                wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
            )
            await _bytes_and_rates(client, parts)
            await other.start()
            await _long_runs(client, parts, other)
            await other.stop()
            await _full_tables(client, parts, [*(n for n in TABLES if n < most), most])


def superuser(parts: Parts) -> str:
    admin = parts.environment["MAESTRO_POSTGRES_URL"]
    return as_user(admin, "postgres", parts.home.secret("postgres-superuser"))


async def _bytes_and_rates(client: Client, parts: Parts) -> None:
    print(
        f"\n| {POINTS:,} points | stored, points/s | PostgreSQL µs a point | bytes a point |"
        " packed, points/s | bytes a point packed |"
    )
    print("|---|---|---|---|---|---|")
    for name, (runs, keys, steps) in FORMS.items():
        await _emptied(parts)
        tenant = await fresh_tenant(client)
        numbers = await made_runs(tenant, [uuid4() for _ in range(64)])
        cpu, began = _processor(parts), perf_counter()
        size = runs * keys * steps
        for flush in range(POINTS // size):
            some = numbers if runs > 1 else [numbers[flush % 64]]
            first = flush * steps if runs > 1 else flush // 64 * steps
            await store(tenant, some, keys, steps, first)
        took, spent = perf_counter() - began, _processor(parts) - cpu
        lying = await _value(tenant, _SIZE) / POINTS
        began = perf_counter()
        await pack(tenant.running, Caused(tenant.tenant.id, tenant.tenant.number, "bench"), 600)
        packing = perf_counter() - began
        await _maintained(parts, "VACUUM FULL metric_segments")
        packed = await _value(tenant, _PACKED) / POINTS
        print(
            f"| {name} | {POINTS / took:,.0f} | {spent / POINTS * 1e6:.1f} | {lying:.1f} |"
            f" {POINTS / packing:,.0f} | {packed:.1f} |",
            flush=True,
        )


async def _long_runs(client: Client, parts: Parts, other: Peer) -> None:
    await _emptied(parts)
    tenant = await fresh_tenant(client)
    print(
        f"\n| points of the run | down-sampled to {SAMPLES:,}: P50 / P95 ms | a page of 1,000: P50"
        " / P95 ms | `mlflow server`, down-sampled: P50 ms | ratio |"
    )
    print("|---|---|---|---|---|")
    for length in LENGTHS:
        run = uuid4()
        await fill(tenant, await made_runs(tenant, [run]), length)
        await _maintained(parts, "ANALYZE")
        sampled = await _times(partial(_sampled, tenant), [run])
        paged = await _times(partial(_paged, tenant), [run])
        theirs, ratio = "", ""
        if length == LENGTHS[1]:
            await their_run(other, run, length)
            taken = await _times(partial(_their_samples, other), [run], 7)
            theirs, ratio = _ms(median(taken)), f"{median(taken) / median(sampled):.0f} ×"
        print(
            f"| {length:,} | {_percentiles(sampled)} | {_percentiles(paged)} | {theirs} | {ratio} |",
            flush=True,
        )


async def _full_tables(client: Client, parts: Parts, tables: list[int]) -> None:
    await _emptied(parts)
    tenant = await fresh_tenant(client)
    runs: list[UUID] = []
    print(
        f"\n| points in the table, {RUN:,} a run | down-sampled to {SAMPLES:,}: P50 / P95 ms |"
        " a page of 1,000: P50 / P95 ms | MB on disk | bytes a point |"
    )
    print("|---|---|---|---|---|")
    for points in tables:
        new = [uuid4() for _ in range(points // RUN - len(runs))]
        for start in range(0, len(new), 100):
            some = new[start : start + 100]
            for number in await made_runs(tenant, some):
                await fill(tenant, [number], RUN)
        runs += new
        await _maintained(parts, "VACUUM ANALYZE")
        sampled = await _times(partial(_sampled, tenant), runs)
        paged = await _times(partial(_paged, tenant), runs)
        size = await _value(tenant, _SIZE)
        print(
            f"| {points:,} | {_percentiles(sampled)} | {_percentiles(paged)} | {size / 1e6:,.0f} |"
            f" {size / points:.1f} |",
            flush=True,
        )


async def _sampled(tenant: Client, run: UUID) -> int:
    query = f"run_ids={run.hex}&metric_key=m&max_results={SAMPLES}"
    answer = await tenant.get("metrics/get-history-bulk-interval", query)
    return len(answer["metrics"])


async def _paged(tenant: Client, run: UUID) -> int:
    query = f"run_id={run.hex}&metric_key=m&max_results={PAGE}"
    return len((await tenant.get("metrics/get-history", query))["metrics"])


async def _their_samples(other: Peer, run: UUID) -> int:
    path = "ajax-api/2.0/mlflow/metrics/get-history-bulk-interval"
    query = f"run_ids={run.hex}&metric_key=m&max_results={SAMPLES}"
    url = f"http://{HOST}:{other.port}/{path}?{query}"
    async with aiohttp.ClientSession() as session, session.get(url) as reply:
        return len((await reply.json())["metrics"])


async def _times(
    ask: Callable[[UUID], Awaitable[int]], runs: list[UUID], asked: int = ASKED
) -> list[float]:
    """Seconds of each of so many questions, ascending, after a few that are not counted."""
    draw = random.Random(len(runs))
    taken = []
    for number in range(asked + UNCOUNTED):
        began = perf_counter()
        assert await ask(draw.choice(runs)) >= PAGE
        if number >= UNCOUNTED:
            taken.append(perf_counter() - began)
    return sorted(taken)


def _percentiles(taken: list[float]) -> str:
    return f"{_ms(median(taken))} / {_ms(taken[len(taken) * 95 // 100])}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"


async def _value(tenant: Client, sql: str) -> int:
    async with tenant.running.database.reading(tenant.tenant.number) as connection:
        found: int = await connection.fetchval(sql)
    return found


async def _emptied(parts: Parts) -> None:
    await _maintained(parts, "TRUNCATE metric_points, metric_segments, latest_metrics")


async def _maintained(parts: Parts, *statements: str) -> None:
    """What housekeeping does after a while, at once."""
    path = {"search_path": "tracking"}
    connection = await asyncpg.connect(superuser(parts), server_settings=path, timeout=600)
    try:
        for statement in statements:
            await connection.execute(statement, timeout=600)
    finally:
        await connection.close()


def _processor(parts: Parts) -> float:
    """Processor seconds that PostgreSQL has spent so far."""
    spent = 0.0
    for process in tree(parts.pids["PostgreSQL"]):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            spent += times.user + times.system
    return spent


if __name__ == "__main__":
    asyncio.run(main())
