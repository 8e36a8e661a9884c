"""What ends is numbered in the same transaction, told to services alone, and forgotten in time."""

import asyncio
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from libs.common.access.asking import shown_secret
from libs.common.access.feed import PATH, Feed
from libs.common.errors import Refusal
from libs.common.events.outbox import Caused, unit_of_work
from libs.common.http.calling import Reply, call
from services.auth.commands.access import access_changed
from services.auth.commands.heartbeat import send_heartbeat
from services.auth.queries import revocations as queries
from services.auth.queries.revocations import ended_after
from services.auth.store.revocations import drop_old_revocations, note_revocation
from tests.service.auth.installation import Auth
from tests.service.auth.people import member, set_password
from tests.waiting import eventually

TOKENS = "/api/maestro/v1/tokens"
BEATS = "SELECT count(*) FROM auth.outbox WHERE topic = 'auth.heartbeat.v1'"


async def feed(auth: Auth, after: int = 0) -> Feed:
    """What ended after a number."""
    return await ended_after(auth.running.database, after)


async def asked(auth: Auth, **headers: str) -> Reply:
    """The answer to the question as it comes over HTTP."""
    return await call(auth.app, "GET", PATH, query="after=0", headers=headers.items())


async def as_admin(auth: Auth, sql: str) -> Any:
    """The first value that a statement gives to the administrator."""
    connection = await asyncpg.connect(auth.environment["MAESTRO_POSTGRES_URL"])
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def owner(auth: Auth) -> Caused:
    """The first tenant and its owner."""
    row = await auth.running.database.fetchrow(
        "SELECT tenant_id::text AS id, user_id FROM tenants, users WHERE login = 'owner'"
    )
    assert row is not None
    return Caused(row["id"], 1, f"user:{row['user_id']}")


async def test_a_token_that_ends_is_numbered_once(auth: Auth) -> None:
    before = (await feed(auth)).last
    token_id, _ = await auth.new_token(auth.first_token)
    for _ in range(2):
        await auth.ask(auth.first_token, "DELETE", f"{TOKENS}/{token_id}")
    told = await feed(auth, before)
    assert [(one.kind, one.tenant_no, one.id) for one in told.revocations] == [
        ("token", 1, token_id)
    ]
    assert told.last == told.revocations[0].number > before


async def test_a_password_a_rotation_and_an_admin_end_things_for_the_feed_too(auth: Auth) -> None:
    user_id, token = await member(auth, "rose", "viewer")
    await set_password(auth, token, "the first of her passwords")
    before = (await feed(auth)).last
    await set_password(auth, token, "the second of them, longer", "the first of her passwords")
    rotated, _ = await auth.new_token(token)
    body = {"overlap_hours": 0}
    assert (await auth.ask(token, "POST", f"{TOKENS}/{rotated}/rotate", body)).status == 201
    ended, _ = await auth.new_token(token)
    path = f"{TOKENS}/inventory/{ended}"
    assert (await auth.ask(auth.first_token, "DELETE", path)).status == 204
    told = (await feed(auth, before)).revocations
    assert [(one.kind, one.id) for one in told] == [
        ("token", f"login:{user_id}:1"),
        ("token", rotated),
        ("token", ended),
    ]


async def test_a_changed_access_is_numbered_with_its_version_and_only_if_it_commits(
    auth: Auth,
) -> None:
    caused, before = await owner(auth), (await feed(auth)).last
    user = UUID(caused.subject.removeprefix("user:"))
    with suppress(Refusal):
        async with unit_of_work(auth.running, caused) as work:
            await access_changed(work, [user])
            await work.connection.execute("SELECT 1 / 0")
    assert (await feed(auth, before)).revocations == []
    async with unit_of_work(auth.running, caused) as work:
        await access_changed(work, [user])
    (told,) = (await feed(auth, before)).revocations
    assert (told.kind, told.id) == ("subject", caused.subject)
    async with auth.running.database.transaction(1) as connection:
        version = await connection.fetchval(
            "SELECT access_version FROM memberships WHERE user_id = $1", user
        )
    assert told.version == version


async def test_a_suspension_is_told_from_a_change_of_access(auth: Auth) -> None:
    user_id, _ = await member(auth, "rita", "viewer")
    before = (await feed(auth)).last
    for doing in ("suspend", "resume"):
        path = f"/api/maestro/v1/members/user:{user_id}/{doing}"
        reply = await auth.ask(auth.first_token, "POST", path)
        assert reply.status < 300, reply.body
    told = (await feed(auth, before)).revocations
    assert [(one.id, one.active) for one in told] == [
        (f"user:{user_id}", False),
        (f"user:{user_id}", True),
    ]


async def test_it_is_told_to_services_that_show_their_secret(auth: Auth) -> None:
    secret = auth.running.settings.clients()["gateway"]
    assert (await asked(auth, authorization=shown_secret("gateway", secret))).status == 200
    assert (await asked(auth, authorization=shown_secret("gateway", "wrong"))).status == 401
    assert (await asked(auth, authorization=f"Bearer {auth.first_token}")).status == 401
    assert (await asked(auth)).status == 401


async def test_a_transaction_that_commits_late_is_still_told(auth: Auth) -> None:
    """Numbered first and committed last: who has read past its number reads it all the same."""
    database = auth.running.database
    async with database.transaction(1) as slow:
        await note_revocation(slow, 1, "token", "slow")
        async with database.transaction(1) as quick:
            await note_revocation(quick, 1, "token", "quick")
        early = await feed(auth)
        assert [one.id for one in early.revocations][-1] == "quick"
    later = await feed(auth, early.settled)
    assert {"slow", "quick"} <= {one.id for one in later.revocations}


async def test_more_than_fits_says_so(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    async with auth.running.database.transaction(1) as connection:
        for number in range(3):
            await note_revocation(connection, 1, "token", f"many-{number}")
    monkeypatch.setattr(queries, "MOST", 2)
    told = await feed(auth)
    assert (len(told.revocations), told.whole) == (2, False)


async def test_what_nothing_can_outlive_is_forgotten_and_numbers_go_on(auth: Auth) -> None:
    async with auth.running.database.transaction(1) as connection:
        await note_revocation(connection, 1, "token", "old")
    last = (await feed(auth)).last
    await as_admin(auth, "UPDATE auth.revocations SET at = at - interval '9 minutes'")
    old = await feed(auth)
    assert old.settled == old.last == last
    async with auth.running.database.transaction() as connection:
        await drop_old_revocations(connection)
    assert (await feed(auth)).revocations
    await as_admin(auth, "UPDATE auth.revocations SET at = at - interval '2 minutes'")
    async with auth.running.database.transaction() as connection:
        await drop_old_revocations(connection)
    empty = await feed(auth, last)
    assert (empty.revocations, empty.last, empty.settled) == ([], last, last)


async def test_of_many_processes_one_tells_the_heartbeat_each_second(auth: Auth) -> None:
    async def beaten() -> list[bool]:
        return await asyncio.gather(*(send_heartbeat(auth.running) for _ in range(8)))

    told = await eventually(lambda: _some(beaten), within=5)
    assert told.count(True) == 1
    before = await as_admin(auth, BEATS)
    # The worker of the running auth goes on by itself.
    await eventually(lambda: _more(auth, before + 2), within=15)


async def _some(beaten: Any) -> list[bool]:
    found: list[bool] = await beaten()
    return found if any(found) else []


async def _more(auth: Auth, count: int) -> bool:
    return bool(await as_admin(auth, BEATS) >= count)


async def test_a_heartbeat_names_the_last_revocation(auth: Auth) -> None:
    async with auth.running.database.transaction(1) as connection:
        await note_revocation(connection, 1, "token", "before the beat")
    last = (await feed(auth)).last

    async def named() -> bool:
        payload = await as_admin(
            auth,
            "SELECT payload FROM auth.outbox WHERE topic = 'auth.heartbeat.v1'"
            " ORDER BY seq DESC LIMIT 1",
        )
        return f'"last_revocation":{last}' in payload

    await eventually(named, within=10)


async def test_the_relay_may_not_touch_it_and_auth_may_not_alter_it(auth: Auth) -> None:
    relay = await asyncpg.connect(auth.environment["AUTH_RELAY_DATABASE_URL"])
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await relay.execute("DELETE FROM auth.revocations")
    finally:
        await relay.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await auth.running.database.execute("UPDATE revocations SET id = ''")
