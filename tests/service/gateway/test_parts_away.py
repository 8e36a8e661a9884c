"""What is away costs what was said and no more: auth, Redis, a service behind the gateway."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis

from libs.common.http.remote import remotes
from tests.service.auth.installation import Auth, fresh_database, started
from tests.service.gateway.front import Front, away, decoded, opened, silent
from tests.waiting import eventually


async def test_with_auth_away_known_tokens_go_on_and_unknown_ones_wait(
    auth: Auth, front: Front
) -> None:
    _, unknown = await auth.new_token(auth.first_token)
    assert (await front.ask(token=auth.first_token)).status == 200
    front.peers["auth"] = away
    try:
        assert (await front.ask(token=auth.first_token)).status == 200
        reply = await front.ask(token=unknown)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert decoded(reply)["error_code"] == "TEMPORARILY_UNAVAILABLE"
        ready = await front.ask("/ready")
        assert (ready.status, decoded(ready)["auth"]) == (503, "away")
    finally:
        front.peers["auth"] = auth.app
    assert (await front.ask(token=unknown)).status == 200


async def test_a_client_secret_may_hold_any_character(
    platform_environment: dict[str, str], tmp_path: Path
) -> None:
    secret = "%41+ /:?&é%%0123456789"
    async with fresh_database(platform_environment, tmp_path) as environment:
        odd = {
            **environment,
            "AUTH_CLIENT_SECRETS": f"gateway={secret},tracking={'t' * 20},registry={'r' * 20}",
            "GATEWAY_AUTH_CLIENT_SECRET": secret,
        }
        async with started(odd, hears=False) as auth, opened(auth) as front:
            assert (await front.ask(token=auth.first_token)).status == 200


async def test_a_wrong_client_secret_is_our_fault_and_not_the_users(auth: Auth) -> None:
    async with opened(auth, GATEWAY_AUTH_CLIENT_SECRET="wrong" * 5) as front:
        reply = await front.ask(token=auth.first_token)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")


async def test_a_dead_and_a_silent_service_are_503_and_the_others_go_on(auth: Auth) -> None:
    async with (
        opened(auth, GATEWAY_UPSTREAM_SECONDS="0.2") as front,
        remotes({"tracking": "http://127.0.0.1:1"}) as dead,
    ):
        for app in (away, silent, dead["tracking"]):
            front.peers["tracking"] = app
            reply = await front.ask(token=auth.first_token)
            assert (reply.status, reply.headers["retry-after"]) == (503, "1")
            assert decoded(reply)["error_code"] == "TEMPORARILY_UNAVAILABLE"
            models = "/api/2.0/mlflow/registered-models/search"
            assert (await front.ask(models, token=auth.first_token)).status == 200
        del front.peers["tracking"]
        assert (await front.ask(token=auth.first_token)).status == 503


@asynccontextmanager
async def black_hole() -> AsyncIterator[tuple[int, list[asyncio.StreamWriter]]]:
    """A server that takes connections and never says anything."""
    taken: list[asyncio.StreamWriter] = []

    async def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], taken
    finally:
        server.close()
        for writer in taken:
            writer.close()


async def test_a_redis_that_hangs_costs_its_bound_once(auth: Auth) -> None:
    async with black_hole() as (port, taken):
        url = f"redis://:x@127.0.0.1:{port}/0"
        async with opened(auth, MAESTRO_REDIS_URL=url) as front:
            tokens = [await auth.new_token(auth.first_token) for _ in range(5)]
            started = time.perf_counter()
            for _, secret in tokens:
                assert (await front.ask(token=secret)).status == 200
            assert time.perf_counter() - started < 1
            assert taken, "Redis was asked"


@pytest.mark.parametrize("url", ["", "redis://127.0.0.1:1/0"])
async def test_without_redis_everything_works(auth: Auth, url: str) -> None:
    async with opened(auth, MAESTRO_REDIS_URL=url) as front:
        for _ in range(3):
            assert (await front.ask(token=auth.first_token)).status == 200


async def test_redis_holds_what_is_sealed_and_only_for_its_life(auth: Auth, front: Front) -> None:
    redis = Redis.from_url(auth.environment["MAESTRO_REDIS_URL"])
    try:
        await redis.flushdb()
        _, secret = await auth.new_token(auth.first_token)
        assert (await front.ask(token=secret)).status == 200
        (name,) = await eventually(partial(names, redis, 1))
        value = await held(redis, name)
        assert value
        for telling in (secret, secret[4:], "eyJ", "tracking"):
            assert telling.encode() not in value + name
        assert 0 < await redis.pttl(name) <= 55_000
    finally:
        await redis.aclose()


async def test_a_poisoned_redis_gives_nobody_another_identity(auth: Auth) -> None:
    redis = Redis.from_url(auth.environment["MAESTRO_REDIS_URL"])
    try:
        await redis.flushdb()
        _, mine = await auth.new_token(auth.first_token)
        _, yours = await auth.new_token(auth.first_token)
        async with opened(auth, MAESTRO_INSTANCE="poisoned") as front:
            await eventually(lambda: front.principals.confirmation.complete, within=10)
            await front.ask(token=mine)
            (my_name,) = await eventually(partial(names, redis, 1))
            await front.ask(token=yours)
            both = await eventually(partial(names, redis, 2))
            (your_name,) = set(both) - {my_name}
            for poison in (await held(redis, your_name), b"junk", b""):
                await redis.set(my_name, poison)
                front.principals._passports.clear()
                await front.ask(token=mine)
                assert front.tracking.callers[-1] is not None
                own = front.tracking.callers[-1].actor
                await front.ask(token=yours)
                assert front.tracking.callers[-1].actor != own
    finally:
        await redis.aclose()


async def names(redis: Redis, count: int) -> list[bytes]:
    """The names of the entries, when there are so many."""
    found = [as_bytes(name) for name in await redis.keys("gateway:passport:*")]
    return found if len(found) == count else []


async def held(redis: Redis, name: bytes) -> bytes:
    """The value of an entry."""
    return as_bytes(await redis.get(name))


def as_bytes(value: object) -> bytes:
    """What this client, which decodes nothing, gives."""
    assert isinstance(value, bytes)
    return value
