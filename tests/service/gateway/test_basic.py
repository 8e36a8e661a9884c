"""Basic at the front door: tenant/login with a password, as fast as a token, and slow to guess."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import mlflow
import pytest
import structlog
from mlflow.exceptions import RestException
from redis.asyncio import Redis

from libs.common.http.calling import Reply, call
from libs.common.http.types import ASGIApp, Receive, Scope, Send
from services.auth.metrics import PASSWORDS_HASHED
from services.gateway.backoff import MOST_OF_ADDRESS, MOST_OF_LOGIN, STRICTER_OF_LOGIN
from services.gateway.metrics import FOUND_IN
from tests.service.auth.installation import Auth
from tests.service.auth.people import PASSWORD, TOKENS, add_tenant, as_owner, join, member
from tests.service.auth.people import set_password as put_password
from tests.service.gateway.front import RUNS, Front, decoded, listening, opened
from tests.waiting import eventually

MINE = "a password that is mine"
NEXT = "the next one, of two words"
PLACES = iter(f"198.51.100.{number}" for number in range(1, 255))


def basic(user: str, password: str) -> tuple[str, str]:
    """A Basic header."""
    return "authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@asynccontextmanager
async def slowing(auth: Auth, **environment: str) -> AsyncIterator[Front]:
    """A gateway behind a proxy that tells where requests come from; without Redis at first."""
    own = {"GATEWAY_TRUSTED_PROXIES": "203.0.113.0/24", "MAESTRO_REDIS_URL": "", **environment}
    async with opened(auth, **own) as front:
        yield front


async def tried(front: Front, user: str, password: str, place: str) -> Reply:
    """A request with a user name and a password, from somewhere."""

    async def through_a_proxy(scope: Scope, receive: Receive, send: Send) -> None:
        await front.app({**scope, "client": ("203.0.113.9", 1)}, receive, send)

    sent = [("host", "localhost"), basic(user, password), ("x-forwarded-for", place)]
    return await call(through_a_proxy, "GET", RUNS, headers=sent, timeout=60)


def hashed() -> float:
    """How many hashes auth has computed, which runs in this process."""
    return float(PASSWORDS_HASHED._value.get())


@pytest.fixture
async def alice(auth: Auth) -> str:
    """A member of the first tenant with a password; her login."""
    login = f"alice-{uuid4().hex[:12]}"
    _, token = await member(auth, login)
    await put_password(auth, token, MINE)
    return login


async def test_a_password_is_taken_and_any_user_name_before_a_token(
    auth: Auth, front: Front, alice: str
) -> None:
    reply = await front.ask(headers=[basic(f"default/{alice}", MINE)])
    assert reply.status == 200
    caller = front.tracking.callers[-1]
    assert caller is not None
    assert caller.actor.startswith("login:")
    assert (caller.workspace_id, caller.scopes) == (1, ("*",))
    bare = await front.ask(headers=[basic(alice, MINE)])
    assert bare.body == reply.body
    by_token = await front.ask(headers=[basic(f"default/{alice}", auth.first_token)])
    assert by_token.status == 200
    assert by_token.body != reply.body
    sent = b"".join(value for _, value in front.tracking.asked[-2]["headers"])
    assert MINE.encode() not in sent
    assert basic(alice, MINE)[1].encode() not in sent


async def test_a_bare_login_in_several_tenants_is_told_the_form(
    auth: Auth, front: Front, alice: str
) -> None:
    user_id = await as_owner(auth, 1, "SELECT user_id FROM users WHERE login = $1", alice)
    await join(auth, await add_tenant(auth, "a-second-team"), user_id)  # type: ignore[arg-type]
    reply = await front.ask(headers=[basic(alice, MINE)])
    assert reply.status == 401
    assert "tenant/login" in decoded(reply)["message"]
    assert (await front.ask(headers=[basic(f"a-second-team/{alice}", MINE)])).status == 200


async def test_a_hundred_at_once_cost_one_hash_and_the_next_are_found_in_memory(
    front: Front, alice: str
) -> None:
    before = hashed()
    header = basic(f"default/{alice}", MINE)
    replies = await asyncio.gather(*(front.ask(headers=[header]) for _ in range(100)))
    assert {reply.status for reply in replies} == {200}
    assert hashed() == before + 1
    found = FOUND_IN["memory"]._value.get()
    for _ in range(50):
        assert (await front.ask(headers=[header])).status == 200
    assert FOUND_IN["memory"]._value.get() == found + 50
    assert hashed() == before + 1


async def test_another_password_ends_the_old_one_at_every_gateway(
    auth: Auth, front: Front, alice: str
) -> None:
    old, new = basic(f"default/{alice}", MINE), basic(f"default/{alice}", NEXT)
    async with opened(auth, MAESTRO_INSTANCE="second") as second:
        for gateway in (front, second):
            assert (await gateway.ask(headers=[old])).status == 200
        body = f'{{"old": "{MINE}", "new": "{NEXT}"}}'.encode()
        sent = [old, ("content-type", "application/json")]
        assert (await front.ask(PASSWORD, method="PUT", headers=sent, body=body)).status == 204

        async def refused(gateway: Front) -> bool:
            return (await gateway.ask(headers=[old])).status == 401

        for gateway in (front, second):
            await eventually(partial(refused, gateway), within=10)
            assert (await gateway.ask(headers=[new])).status == 200


async def test_what_a_password_opens_is_not_in_redis(front: Front, alice: str) -> None:
    async with Redis.from_url(front.running.shared.redis_url) as redis:
        before = set(await redis.keys("gateway:passport:*"))
        assert (await front.ask(headers=[basic(alice, MINE)])).status == 200
        assert set(await redis.keys("gateway:passport:*")) == before


async def test_guesses_are_slowed_before_anything_is_hashed(auth: Auth, alice: str) -> None:
    async with slowing(auth) as front:
        place, user = next(PLACES), f"default/{alice}"
        for number in range(MOST_OF_LOGIN):
            # However the login is written, it is one person.
            name = (user, alice, f"elsewhere/{alice}", f"default/{alice.upper()}")[number % 4]
            reply = await tried(front, name, f"wrong guess {number}", place)
            assert (reply.status, "user name or password" in decoded(reply)["message"]) == (
                401,
                True,
            )
        before = hashed()
        slowed = await tried(front, user, MINE, place)
        assert slowed.status == 429
        assert decoded(slowed)["error_code"] == "RESOURCE_EXHAUSTED"
        assert 0 < int(slowed.headers["retry-after"]) <= 61
        assert hashed() == before
        elsewhere = await tried(front, user, MINE, next(PLACES))
        assert elsewhere.status == 200
        # Known by now, it costs nothing, so it is not slowed.
        assert (await tried(front, user, MINE, place)).status == 200
        assert (await front.ask(token=auth.first_token)).status == 200


async def test_many_guesses_at_once_are_no_more_than_one_after_another(
    auth: Auth, alice: str
) -> None:
    async with slowing(auth) as front:
        before = hashed()
        guesses = [tried(front, alice, f"a guess, number {n}", "198.18.0.1") for n in range(40)]
        statuses = [reply.status for reply in await asyncio.gather(*guesses)]
        assert sorted(statuses) == [401] * MOST_OF_LOGIN + [429] * (40 - MOST_OF_LOGIN)
        assert hashed() - before == MOST_OF_LOGIN


async def test_an_address_that_tries_many_logins_is_slowed(
    auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.backoff.MOST_OF_ADDRESS", 6)
    assert MOST_OF_ADDRESS == 50
    async with slowing(auth) as front:
        # One IPv6 host has a /64 to choose addresses from.
        places = [f"2001:db8::{number:x}" for number in range(1, 9)]
        statuses = [
            (await tried(front, f"nobody-{n}", MINE, place)).status
            for n, place in enumerate(places)
        ]
        assert statuses == [401] * 6 + [429] * 2
        assert (await tried(front, "nobody-9", MINE, "2001:db8:0:1::1")).status == 401


async def test_two_gateways_count_together_by_redis(
    auth: Auth, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.backoff.ANSWER_SECONDS", 30)
    place, shared = next(PLACES), {"MAESTRO_REDIS_URL": auth.environment["MAESTRO_REDIS_URL"]}
    async with (
        slowing(auth, **shared) as one,
        slowing(auth, **shared, MAESTRO_INSTANCE="other") as other,
    ):
        for number in range(MOST_OF_LOGIN):
            gateway = (one, other)[number % 2]
            assert (await tried(gateway, alice, f"wrong {number}", place)).status == 401
        for gateway in (one, other):
            assert (await tried(gateway, alice, MINE, place)).status == 429
        assert (await tried(one, alice, MINE, next(PLACES))).status == 200


async def test_with_redis_gone_fewer_guesses_are_left_and_with_none_meant_as_many(
    auth: Auth, alice: str
) -> None:
    gone = "redis://127.0.0.1:1/0"
    for url, most in ((gone, STRICTER_OF_LOGIN), ("", MOST_OF_LOGIN)):
        async with slowing(auth, MAESTRO_REDIS_URL=url) as front:
            place = next(PLACES)
            statuses = [
                (await tried(front, alice, f"wrong {number}", place)).status
                for number in range(MOST_OF_LOGIN + 1)
            ]
            assert statuses == [401] * most + [429] * (MOST_OF_LOGIN + 1 - most)


async def test_a_right_password_clears_what_was_mistyped(
    auth: Auth, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.backoff.ANSWER_SECONDS", 30)
    place, shared = next(PLACES), {"MAESTRO_REDIS_URL": auth.environment["MAESTRO_REDIS_URL"]}
    async with (
        slowing(auth, **shared) as front,
        slowing(auth, **shared, MAESTRO_INSTANCE="more") as other,
    ):
        for number in range(MOST_OF_LOGIN - 1):
            assert (await tried(front, alice, f"wrong {number}", place)).status == 401
        assert (await tried(front, alice, MINE, place)).status == 200
        for number in range(MOST_OF_LOGIN - 1):
            assert (await tried(other, alice, f"wrong {number}", place)).status == 401


async def test_a_forged_forwarding_header_changes_nothing(auth: Auth, alice: str) -> None:
    """This gateway trusts no proxy, so all of them come from one address."""
    async with slowing(auth, GATEWAY_TRUSTED_PROXIES="") as front:
        statuses = [
            (await tried(front, alice, f"wrong {number}", f"192.0.2.{number}")).status
            for number in range(MOST_OF_LOGIN + 1)
        ]
    assert statuses == [401] * MOST_OF_LOGIN + [429]


async def test_a_token_is_refused_from_outside_its_networks_at_each_request(auth: Auth) -> None:
    async with slowing(auth) as front:
        _, token = await auth.new_token(
            auth.first_token, networks=["192.0.2.0/24", "2001:db8::/32"]
        )
        cases = [
            ("192.0.2.9", 200),
            ("2001:db8::9", 200),
            ("::ffff:192.0.2.9", 200),
            ("192.0.3.9", 401),
            ("2001:db9::9", 401),
            ("192.0.2.9, 192.0.3.9", 401),
            ("192.0.3.9, 192.0.2.9", 200),
            ("192.0.2.9, 203.0.113.1", 200),
            ("nonsense", 401),
            ("", 401),
        ]
        for place, status in cases:
            reply = await tried(front, "any", token, place)
            assert reply.status == status, place
            if status == 401:
                assert "networks that your address" in decoded(reply)["message"]
        # Straight, without the proxy, the header is anybody's.
        reply = await front.ask(token=token, headers=[("x-forwarded-for", "192.0.2.9")])
        assert reply.status == 401


async def test_passwords_are_in_no_log_and_no_answer(
    front: Front, alice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = (MINE, NEXT, basic(alice, MINE)[1][6:])
    with structlog.testing.capture_logs() as logs:
        replies = [
            await front.ask(headers=[basic(f"default/{alice}", MINE)]),
            await front.ask(headers=[basic(f"default/{alice}", NEXT)]),
            await front.ask(headers=[basic(NEXT, MINE)]),
            await front.ask(headers=[("authorization", f"Bearer {MINE}")]),
        ]
    out = str(logs) + "".join(capsys.readouterr())
    assert "sign_in_refused" in out
    for secret in secrets:
        assert secret not in out
        assert not any(secret.encode() in reply.body for reply in replies)


@pytest.fixture
def stock_client(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The mlflow client without a credential of its own."""
    for name in ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return monkeypatch


async def test_the_stock_client_signs_in_with_its_environment(
    front: Front, alice: str, stock_client: pytest.MonkeyPatch
) -> None:
    def run_of(url: str) -> Any:
        return mlflow.MlflowClient(tracking_uri=url).get_run("0" * 32)

    app: ASGIApp = front.app
    async with listening(app) as url:
        stock_client.setenv("MLFLOW_TRACKING_USERNAME", f"default/{alice}")
        stock_client.setenv("MLFLOW_TRACKING_PASSWORD", MINE)
        asked = len(front.tracking.asked)
        await asyncio.to_thread(run_of, url)
        assert len(front.tracking.asked) == asked + 1
        assert front.tracking.asked[-1]["path"] == RUNS
        stock_client.setenv("MLFLOW_TRACKING_PASSWORD", NEXT)
        with pytest.raises(RestException, match="user name or password is wrong"):
            await asyncio.to_thread(run_of, url)
        assert len(front.tracking.asked) == asked + 1


async def test_tokens_are_kept_watch_over_through_the_gateway(auth: Auth, front: Front) -> None:
    reply = await front.ask(f"{TOKENS}/inventory", token=auth.first_token)
    assert reply.status == 200
    assert decoded(reply)["tokens"]
