"""Limits at the front door: by plan, shared by gateways over Redis, and whatever becomes of Redis."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from redis.asyncio import Redis as RedisClient

from libs.common.http.calling import Reply
from libs.embedded.home import Home
from libs.embedded.redis import Redis
from services.gateway.limits.lease import most_held
from services.gateway.limits.strangers import MOST_FAILURES
from tests.service.auth.installation import Auth
from tests.service.gateway.front import RUNS, Front, decoded, listening, opened
from tests.waiting import eventually

PRINCIPAL = 25
LOG = "/api/2.0/mlflow/runs/log-metric"


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def free(auth: Auth) -> AsyncIterator[None]:
    """The first tenant is on the smallest plan: 25 requests a second of one principal."""
    await on_plan(auth, "free")
    yield
    await on_plan(auth, "unlimited")


async def on_plan(auth: Auth, plan: str) -> None:
    """Put the first tenant on a plan, in a database where nobody else is; no gateway of an earlier
    test has left in Redis that it was on another one.
    """
    async with auth.running.database.transaction(1) as connection:
        await connection.execute("UPDATE tenants SET plan = $1 WHERE tenant_no = 1", plan)
    async with RedisClient.from_url(auth.environment["MAESTRO_REDIS_URL"]) as store:
        async for name in store.scan_iter("gateway:passport:*"):
            await store.delete(name)


@pytest_asyncio.fixture(loop_scope="session")
async def redis(tmp_path: Path) -> AsyncIterator[Redis]:
    """A Redis that a test may kill."""
    home = Home(tmp_path / "home")
    home.open()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Redis(home, port)
    await server.start()
    yield server
    await server.stop()
    home.close()


async def statuses(front: Front, count: int, path: str = RUNS, method: str = "GET") -> Counter[int]:
    """The statuses of so many requests at once."""
    token = front.auth.first_token
    replies = await asyncio.gather(
        *(front.ask(path, token=token, method=method) for _ in range(count))
    )
    return Counter(reply.status for reply in replies)


async def over(front: Front, path: str = RUNS) -> Reply:
    """Ask until it is too much: many at a time, as one after the other may be too slow for it."""
    for _ in range(4):
        asked = (front.ask(path, token=front.auth.first_token) for _ in range(2 * PRINCIPAL))
        for reply in await asyncio.gather(*asked):
            if reply.status == 429:
                return reply
    pytest.fail("never over the limit")


async def test_answers_say_what_is_left_and_refusals_when_to_come_back(auth: Auth) -> None:
    async with opened(auth, MAESTRO_INSTANCE="says") as front:
        first = await front.ask(token=auth.first_token)
        assert first.status == 200
        assert first.headers["ratelimit-policy"] == (
            '"tenant";q=50;w=1, "principal";q=25;w=1, "read";q=40;w=1,'
            ' "concurrent";q=32;qu="concurrent-requests"'
        )
        assert first.headers["ratelimit"] == '"principal";r=24;t=1'
        reply = await over(front)
        assert reply.headers["ratelimit"] == '"principal";r=0;t=1'
        assert reply.headers["retry-after"] in {"1", "2"}
        said = decoded(reply)
        assert said["error_code"] == "RESOURCE_EXHAUSTED"
        for word in ("principal", "25 requests a second", "'free'", "operator"):
            assert word in said["message"]


async def test_our_own_api_refuses_with_problem_details(auth: Auth) -> None:
    async with opened(auth, MAESTRO_INSTANCE="own") as front:
        reply = await over(front, "/api/maestro/v1/tokens")
        assert reply.headers["content-type"] == "application/problem+json"
        assert decoded(reply)["code"] == "RESOURCE_EXHAUSTED"
        assert "ratelimit" in reply.headers


async def test_the_unlimited_plan_has_no_limit_and_no_headers(auth: Auth) -> None:
    await on_plan(auth, "unlimited")
    # What another gateway put into Redis is of the former plan for up to a minute.
    async with opened(auth, MAESTRO_INSTANCE="unlimited", MAESTRO_REDIS_URL="") as front:
        assert await statuses(front, 200) == {200: 200}
        reply = await front.ask(token=auth.first_token)
        assert "ratelimit" not in reply.headers
        assert "ratelimit-policy" not in reply.headers


async def test_the_platform_has_a_limit_of_its_own(auth: Auth) -> None:
    await on_plan(auth, "unlimited")
    async with opened(
        auth, MAESTRO_INSTANCE="platform", GATEWAY_PLATFORM_RPS="10", MAESTRO_REDIS_URL=""
    ) as front:
        found = await statuses(front, 40, "/version")
        assert 10 <= found[200] <= 12
        assert found[429] == 40 - found[200]
        assert "(platform)" in decoded(await over(front))["message"]


async def test_gateways_share_a_limit(auth: Auth, redis: Redis) -> None:
    url = redis.url
    async with (
        opened(auth, MAESTRO_INSTANCE="one", MAESTRO_REDIS_URL=url) as one,
        opened(auth, MAESTRO_INSTANCE="two", MAESTRO_REDIS_URL=url) as two,
    ):
        began = time.monotonic()
        both = await asyncio.gather(statuses(one, 60), statuses(two, 60))
        windows = 1 + int(time.monotonic() - began)
        served = sum(found[200] for found in both)
        assert PRINCIPAL <= served <= windows * (PRINCIPAL + 2 * most_held(PRINCIPAL))
        assert sum(found[429] for found in both) == 120 - served


async def test_redis_holds_names_that_carry_the_tenant_and_end_by_themselves(
    auth: Auth, redis: Redis
) -> None:
    async with (
        opened(auth, MAESTRO_INSTANCE="names", MAESTRO_REDIS_URL=redis.url) as front,
        RedisClient.from_url(redis.url) as client,
    ):
        await front.ask(token=auth.first_token)
        names = [bytes(name) async for name in client.scan_iter("limit:*")]
        assert len(names) == 3
        assert all(name.startswith(b"limit:1:") for name in names)

        async def gone() -> bool:
            return [name async for name in client.scan_iter("limit:*")] == []

        await eventually(gone)


async def test_a_redis_that_dies_or_is_emptied_loses_nothing_and_comes_back(
    auth: Auth, redis: Redis
) -> None:
    async with opened(auth, MAESTRO_INSTANCE="dying", MAESTRO_REDIS_URL=redis.url) as front:
        seen: Counter[int] = Counter()
        log: list[float] = []

        async def flood(seconds: float) -> None:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                reply = await front.ask(token=auth.first_token)
                seen[reply.status] += 1
                if reply.status == 200:
                    log.append(time.monotonic())

        await flood(1.2)
        async with RedisClient.from_url(redis.url) as client:
            await client.flushall()
        await flood(1.2)
        redis.kill()
        await flood(1.5)
        await redis.start()
        await flood(2.5)
        assert set(seen) == {200, 429}
        async with RedisClient.from_url(redis.url) as client:

            async def asked_again() -> bool:
                await front.ask(token=auth.first_token)
                return bool(await client.exists("limit:1:tenant"))

            await eventually(asked_again, within=10)
        most = max(sum(start <= at < start + 1 for at in log) for start in log)
        assert most <= PRINCIPAL + most_held(PRINCIPAL)
        assert len(log) >= 5 * PRINCIPAL


async def test_a_running_runs_writes_are_delayed_and_all_are_served(auth: Auth) -> None:
    async with opened(auth, MAESTRO_INSTANCE="delays") as front:
        began = time.monotonic()
        assert await statuses(front, 3 * PRINCIPAL, LOG, "POST") == {200: 3 * PRINCIPAL}
        assert time.monotonic() - began > 1.5


async def test_wrong_tokens_in_great_number_are_stopped_and_right_ones_are_not(auth: Auth) -> None:
    await on_plan(auth, "unlimited")
    async with (
        opened(auth, MAESTRO_INSTANCE="strangers") as front,
        listening(front.app) as url,
        aiohttp.ClientSession() as session,
    ):

        async def status(token: str) -> int:
            headers = {"Authorization": f"Bearer {token}"}
            async with session.get(url + RUNS, headers=headers) as reply:
                return reply.status

        assert await status(auth.first_token) == 200
        seen = Counter([await status(f"wrong-{number}") for number in range(310)])
        assert seen == {401: MOST_FAILURES, 429: 10}
        assert await status(auth.first_token) == 200


async def test_a_body_larger_than_the_plans_is_refused(auth: Auth) -> None:
    path = "/api/2.0/mlflow-artifacts/artifacts/0/x"
    async with opened(auth, MAESTRO_INSTANCE="bodies") as front, listening(front.app) as url:
        length = 256 * 1024**2 + 1
        reply = await front.ask(
            path,
            token=auth.first_token,
            method="PUT",
            headers=[("content-length", str(length))],
        )
        assert reply.status == 413
        for word in (str(length - 1), "'free'", "operator"):
            assert word in decoded(reply)["message"]

        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield bytes(1024**2)

        token = {"Authorization": f"Bearer {auth.first_token}"}
        async with aiohttp.ClientSession(headers=token) as session:
            try:
                async with session.put(url + path, data=endless()) as answer:
                    assert answer.status == 413
                    assert "'free'" in msgspec.json.decode(await answer.read())["message"]
            except aiohttp.ClientConnectionError:
                pass  # the answer is lost where the client is still sending when it is cut
        assert front.tracking.body_bytes <= 257 * 1024**2
