"""What depends on the address of a client: guessing is slowed by it, and tokens are bound to it."""

import asyncio

import pytest

from services.gateway.backoff import MOST_OF_ADDRESS, MOST_OF_LOGIN, STRICTER_OF_LOGIN
from tests.service.auth.installation import Auth
from tests.service.gateway.front import decoded
from tests.service.gateway.passwords import MINE, PLACES, hashed, slowing, tried


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
        # On a busy machine the last of the hashes may come too late for the gateway: 503.
        assert statuses.count(429) == 40 - MOST_OF_LOGIN
        assert set(statuses) <= {401, 429, 503}
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
    # However busy the machine is, Redis is waited for.
    for reader in ("backoff", "service"):
        monkeypatch.setattr(f"services.gateway.{reader}.ANSWER_SECONDS", 30)
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
    # However busy the machine is, Redis is waited for.
    for reader in ("backoff", "service"):
        monkeypatch.setattr(f"services.gateway.{reader}.ANSWER_SECONDS", 30)
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
        # From outside one does not learn which workspaces there are.
        for place, expected in (("192.0.4.9", 401), ("192.0.2.9", 404), ("192.0.4.9", 401)):
            reply = await tried(front, "any", token, place, workspace="no-such-place")
            assert reply.status == expected, place
        # Straight, without the proxy, the header is anybody's.
        reply = await front.ask(token=token, headers=[("x-forwarded-for", "192.0.2.9")])
        assert reply.status == 401
