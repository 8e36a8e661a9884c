"""A revoked token is refused by every gateway as soon as the fact is heard, and for good."""

import asyncio
import time
from functools import partial

import pytest

from libs.common.contracts.auth import Token, TokenIssued, TokenRevoked
from libs.common.events.outbox import Caused, UnitOfWork
from services.gateway.credentials import Presented
from tests.service.auth.installation import Auth
from tests.service.gateway.front import Front, away, decoded, opened
from tests.waiting import eventually

TOKENS = "/api/maestro/v1/tokens"


async def refused(front: Front, token: str) -> bool:
    """Whether a token is refused as revoked."""
    reply = await front.ask(token=token)
    return reply.status == 401 and "revoked" in decoded(reply)["message"]


async def test_a_revocation_reaches_two_gateways_that_hold_the_token_in_memory(
    auth: Auth, front: Front
) -> None:
    async with opened(auth, MAESTRO_INSTANCE="second") as second:
        token_id, secret = await auth.new_token(auth.first_token)
        for gateway in (front, second):
            assert (await gateway.ask(token=secret)).status == 200
        await front.ask(f"{TOKENS}/{token_id}", token=auth.first_token, method="DELETE")
        started = time.perf_counter()
        for gateway in (front, second):
            await eventually(partial(refused, gateway, secret), within=5)
        # Far below the life of a principal, so it was the broadcast that did it.
        assert time.perf_counter() - started < 5
        for gateway in (front, second):
            assert gateway.principals.revocations.covers(token_id)
        assert (await front.ask(token=auth.first_token)).status == 200


async def test_what_another_gateway_left_in_redis_is_refused_too(auth: Auth, front: Front) -> None:
    """The first gateway fills Redis; the second has the token from nowhere else."""
    async with opened(auth, MAESTRO_INSTANCE="third") as other:
        other.principals.revocations._listening_since -= 100
        token_id, secret = await auth.new_token(auth.first_token)
        assert (await front.ask(token=secret)).status == 200

        async def stored() -> bool:
            shared = other.principals._shared
            return await shared.read(Presented("Bearer", secret)) is not None

        await eventually(stored)
        other.peers["auth"] = away
        assert (await other.ask(token=secret)).status == 200, "found in Redis, without auth"
        other.principals._passports.clear()
        await front.ask(f"{TOKENS}/{token_id}", token=auth.first_token, method="DELETE")
        await eventually(lambda: other.principals.revocations.covers(token_id), within=5)
        assert (await other.ask(token=secret)).status in (401, 503)


@pytest.mark.parametrize("kind", ["issued", "foreign"])
async def test_other_facts_about_tokens_revoke_nothing(auth: Auth, front: Front, kind: str) -> None:
    token_id, secret = await auth.new_token(auth.first_token)
    assert (await front.ask(token=secret)).status == 200
    other = token_id if kind == "issued" else "00000000-0000-0000-0000-000000000000"
    state = Token(token_id=other, name="x", subject="user:x")
    fact = (
        TokenIssued(version=1, token=state)
        if kind == "issued"
        else TokenRevoked(version=2, token=state)
    )
    last_id, _ = await auth.new_token(auth.first_token)
    async with auth.running.database.transaction(1) as connection:
        work = UnitOfWork(connection, Caused(other, 1, "user:x"))
        work.record(fact)
        work.record(
            TokenRevoked(version=9, token=Token(token_id=last_id, name="x", subject="user:x"))
        )
        await work.flush(auth.running)
    auth.running.wake_relay()
    await eventually(lambda: front.principals.revocations.covers(last_id), within=10)
    assert (await front.ask(token=secret)).status == 200


async def test_a_flood_of_revocations_is_heard_in_full(auth: Auth, front: Front) -> None:
    made = await asyncio.gather(*(auth.new_token(auth.first_token) for _ in range(20)))
    for _, secret in made:
        assert (await front.ask(token=secret)).status == 200
    for token_id, _ in made:
        await front.ask(f"{TOKENS}/{token_id}", token=auth.first_token, method="DELETE")

    async def all_refused() -> bool:
        answers = [await refused(front, secret) for _, secret in made]
        return all(answers)

    await eventually(all_refused, within=10)
