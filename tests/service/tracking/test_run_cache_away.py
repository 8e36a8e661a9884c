"""What is kept of runs while Redis is away, hangs or comes back: no error, and nothing out of date."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis as RedisClient

from libs.embedded.home import Home
from libs.embedded.ports import choose_ports
from libs.embedded.redis import Redis
from services.tracking.service import SERVICE
from tests.service.tracking.making import new_run
from tests.service.tracking.replicas import (
    SECONDS,
    Replicas,
    believing,
    counts,
    got,
    replicas,
    since,
    stored,
)
from tests.serving import Client, served
from tests.waiting import eventually

NOWHERE = "redis://127.0.0.1:1/0"


@asynccontextmanager
async def over_redis(
    environment: Mapping[str, str], folder: Path
) -> AsyncIterator[tuple[Redis, Replicas]]:
    """Two processes over a Redis that nobody else needs."""
    home = Home(folder)
    home.open()
    redis = Redis(home, choose_ports(home.path, {"MAESTRO_PORT": "0"})["redis"])
    await redis.start()
    try:
        async with replicas(environment, MAESTRO_REDIS_URL=redis.url) as both:
            yield redis, both.of_new_tenant()
    finally:
        await redis.stop()
        home.close()


async def log(client: Client, run: str, value: int) -> None:
    """Log a point, each at a step of its own."""
    point = {"run_id": run, "key": "loss", "value": value, "timestamp": 1, "step": value}
    await client.post("runs/log-metric", point)


async def sees(client: Client, run: str, value: int) -> bool:
    """Whether a process shows that as the latest point."""
    return bool((await got(client, run))["data"]["metrics"][0]["value"] == value)


async def test_nothing_is_out_of_date_when_redis_comes_back_with_what_it_held(
    platform_environment: dict[str, str], tmp_path: Path
) -> None:
    async with over_redis(platform_environment, tmp_path) as (redis, both):
        run = await new_run(both.one)
        await log(both.one, run, 0)
        assert [await sees(client, run, 0) for client in both.each] == [True] * 2
        # It writes down the stamp and what was read under it.
        await redis.stop()
        await log(both.one, run, 1)
        before = counts()
        assert [await sees(client, run, 1) for client in both.each] == [True] * 2
        assert since(before) == {"unkept": 2}
        await redis.start()
        back = time.monotonic()
        while time.monotonic() - back < SECONDS:
            assert await sees(both.other, run, 1)
            assert await sees(both.one, run, 1)
        await believing(both)
        assert [await sees(client, run, 1) for client in both.each] == [True] * 2


async def test_a_redis_that_hangs_costs_a_write_a_second_once_and_a_read_little(
    platform_environment: dict[str, str], tmp_path: Path
) -> None:
    async with over_redis(platform_environment, tmp_path) as (redis, both):
        run = await new_run(both.one)
        await log(both.one, run, 0)
        assert redis.pid is not None
        os.kill(redis.pid, signal.SIGSTOP)
        try:
            began = time.monotonic()
            reads = await asyncio.gather(*(sees(both.other, run, 0) for _ in range(20)))
            assert all(reads)
            assert time.monotonic() - began < 1
            for value in range(1, 20):
                await log(both.one, run, value)
                assert [await sees(client, run, value) for client in both.each] == [True] * 2
            assert time.monotonic() - began < 8
        finally:
            os.kill(redis.pid, signal.SIGCONT)
        await believing(both)
        await log(both.one, run, 20)

        async def remembered() -> bool:
            before = counts()
            assert [await sees(client, run, 20) for client in both.each] == [True] * 2
            return since(before)["memory"] == 2

        await eventually(remembered, within=20)


async def test_a_writer_without_redis_is_out_of_date_for_the_life_of_a_stamp_at_most(
    platform_environment: dict[str, str],
) -> None:
    env = {**platform_environment, "MAESTRO_REDIS_URL": NOWHERE, "MAESTRO_INSTANCE": "cut-off"}
    async with (
        replicas(platform_environment) as any_two,
        served(SERVICE, env, signer=any_two.one.signer) as any_third,
    ):
        both = any_two.of_new_tenant()
        cut_off = any_third.of(both.one.tenant)
        run = await new_run(both.one)
        await log(both.one, run, 0)
        assert await sees(both.other, run, 0)
        await log(cut_off, run, 1)
        written = time.monotonic()
        assert await sees(cut_off, run, 1)
        # Shown as it was until then, which is the bound that is stated.
        assert await sees(both.other, run, 0)
        await eventually(lambda: sees(both.other, run, 1), within=SECONDS + 1)
        assert time.monotonic() - written < SECONDS + 1
        # Somebody keeps reading: that prolongs nothing.
        assert await got(both.one, run) == await stored(both.one, run)


async def test_a_deletion_that_did_not_arrive_is_sent_when_redis_is_reached_again(
    platform_environment: dict[str, str], tmp_path: Path
) -> None:
    async with over_redis(platform_environment, tmp_path) as (redis, both):
        run = await new_run(both.one)
        name = f"tracking:stamp:{both.one.tenant.number}:{run}"
        async with RedisClient.from_url(redis.url) as asked:
            # A stamp that does not end by itself.
            await asked.set(name, "stamp")
        await redis.stop()
        await log(both.one, run, 1)
        await redis.start()
        async with RedisClient.from_url(redis.url) as asked:

            async def gone() -> bool:
                return not await asked.exists(name)

            await eventually(gone)


@pytest.mark.parametrize("url", ["", NOWHERE])
async def test_without_redis_everything_is_read_from_the_database(
    platform_environment: dict[str, str], url: str
) -> None:
    env = {**platform_environment, "MAESTRO_REDIS_URL": url}
    async with served(SERVICE, env) as client:
        run = await new_run(client)
        before = counts()
        for value in range(3):
            await log(client, run, value)
            assert await sees(client, run, value)
        assert since(before) == {"unkept": 3}
