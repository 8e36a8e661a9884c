"""A revoked token is refused by every gateway as soon as the fact is heard, and for good."""

import asyncio
import time
from dataclasses import replace
from functools import partial

import pytest

from libs.common.contracts.auth import Tenant, TenantChanged, Token, TokenIssued, TokenRevoked
from libs.common.events.outbox import Caused, UnitOfWork, unit_of_work
from libs.common.http.types import Receive, Scope, Send
from services.auth.commands.access import access_changed
from services.auth.store.revocations import note_revocation
from services.gateway.confirmation import POLL_SECONDS, SILENT_SECONDS
from services.gateway.credentials import Presented
from services.gateway.service import SERVICE
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


# A gateway that the broadcast does not reach: it lives by auth's feed alone.
DEAF = replace(SERVICE, subscriptions=())


async def change_access(auth: Auth, sql: str = "") -> None:
    """The owner's access changes, by `sql` where something is to be different."""
    async with auth.running.database.transaction(1) as connection:
        row = await connection.fetchrow(
            "SELECT tenant_id::text AS id, m.user_id FROM memberships m JOIN tenants USING (tenant_no)"
        )
    assert row is not None
    caused = Caused(row["id"], 1, "operator")
    async with unit_of_work(auth.running, caused) as work:
        if sql:
            await work.connection.execute(sql)
        await access_changed(work, [row["user_id"]])


@pytest.mark.parametrize("deaf", [False, True], ids=["broadcast", "feed"])
async def test_a_changed_access_gives_new_principals_and_a_suspension_none(
    auth: Auth, deaf: bool
) -> None:
    async with opened(auth, DEAF if deaf else SERVICE, hears=not deaf) as front:
        assert (await front.ask(token=auth.first_token)).status == 200
        before = front.tracking.callers[-1]
        assert before is not None
        await change_access(auth)

        async def renewed() -> bool:
            await front.ask(token=auth.first_token)
            caller = front.tracking.callers[-1]
            return caller is not None and caller.epoch > before.epoch

        await eventually(renewed, within=10)
        await change_access(auth, "UPDATE memberships SET status = 'suspended'")
        try:
            await eventually(partial(answered, front, auth.first_token, 401), within=10)
        finally:
            await change_access(auth, "UPDATE memberships SET status = 'active'")
        await eventually(partial(answered, front, auth.first_token, 200), within=10)


async def answered(front: Front, token: str, status: int) -> bool:
    """Whether a request is answered so."""
    return (await front.ask(token=token)).status == status


async def test_a_suspended_tenant_is_dropped_by_both_ways(auth: Auth, front: Front) -> None:
    async with opened(auth, DEAF, hears=False) as deaf:
        await eventually(lambda: deaf.principals.confirmation.complete, within=10)
        for gateway in (front, deaf):
            assert (await gateway.ask(token=auth.first_token)).status == 200
        await set_tenant(auth, "suspended")
        try:
            for gateway in (front, deaf):
                await eventually(partial(answered, gateway, auth.first_token, 401), within=10)
        finally:
            await set_tenant(auth, "active")
        for gateway in (front, deaf):
            await eventually(partial(answered, gateway, auth.first_token, 200), within=10)


async def set_tenant(auth: Auth, status: str) -> None:
    """Suspend or resume the first tenant as auth's command will: state, fact and number at once."""
    async with auth.running.database.transaction(1) as connection:
        row = await connection.fetchrow(
            "UPDATE tenants SET status = $1, version = version + 1 WHERE tenant_no = 1"
            " RETURNING tenant_id::text AS tenant, tenant_no, name, status, version",
            status,
        )
        assert row is not None
        told = {name: value for name, value in row.items() if name != "version"}
        work = UnitOfWork(connection, Caused(row["tenant"], 1, "operator"))
        work.record(TenantChanged(version=row["version"], tenant=Tenant(**told)))
        await work.flush(auth.running)
        if status == "suspended":
            await note_revocation(connection, 1, "tenant", row["tenant"], row["version"])
    auth.running.wake_relay()


async def test_a_gateway_without_broadcast_refuses_a_revoked_token_within_its_bound(
    auth: Auth, front: Front
) -> None:
    async with opened(auth, DEAF, hears=False) as deaf:
        await eventually(lambda: deaf.principals.confirmation.complete, within=10)
        token_id, secret = await auth.new_token(auth.first_token)
        assert (await deaf.ask(token=secret)).status == 200
        await front.ask(f"{TOKENS}/{token_id}", token=auth.first_token, method="DELETE")
        started = time.perf_counter()
        await eventually(partial(refused, deaf, secret), within=10)
        assert time.perf_counter() - started < SILENT_SECONDS + 2 * POLL_SECONDS


async def test_a_gateway_that_hears_the_heart_beat_does_not_ask(auth: Auth, front: Front) -> None:
    """For as long as nothing is revoked."""
    await eventually(lambda: front.principals.confirmation.complete, within=10)
    asked: list[str] = []

    async def counting(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        await auth.app(scope, receive, send)

    front.peers["auth"] = counting
    confirmation = front.principals.confirmation
    try:
        beaten = confirmation._confirmed_at
        await eventually(lambda: confirmation._confirmed_at > beaten + SILENT_SECONDS, within=20)
        assert confirmation.silence < SILENT_SECONDS
        assert len(asked) <= 1, "but once for what was numbered before and committed late"
    finally:
        front.peers["auth"] = auth.app
