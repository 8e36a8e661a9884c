"""Members: who is one, and how a membership is held up and ended, everywhere and at once."""

import asyncio
from typing import Any

import pytest

from tests.service.auth.installation import Auth
from tests.service.auth.people import as_owner
from tests.service.auth.tenancy import (
    API,
    PASSWORD,
    Person,
    Place,
    accept,
    invite,
    members,
    new_member,
    new_place,
    refusal,
    said,
    token_for,
    told,
)
from tests.waiting import eventually


async def do(auth: Auth, by: Person, doing: str, whom: str) -> Any:
    """Suspend, resume or remove a member."""
    if doing == "remove":
        return await auth.ask(by.token, "DELETE", f"{API}/members/{whom}")
    return await auth.ask(by.token, "POST", f"{API}/members/{whom}/{doing}")


async def grant(auth: Auth, place: Place, person: Person, **columns: object) -> None:
    """Allow a member something besides its role."""
    async with auth.running.database.transaction(place.number) as connection:
        await connection.execute(
            """
            INSERT INTO grants (tenant_no, grant_id, user_id, effect, permissions, kind,
                                workspace_id, pattern, granted_by)
            VALUES ($1, gen_random_uuid(), $2::uuid, $3, $4, $5, $6, $7, 'test')
            """,
            place.number,
            person.subject.partition(":")[2],
            columns.get("effect", "allow"),
            columns["permissions"],
            columns.get("kind", "tenant"),
            columns.get("workspace_id", 0),
            columns.get("pattern", "*"),
        )


async def test_members_are_shown_to_those_who_may_see_them(auth: Auth) -> None:
    place = await new_place(auth)
    reviewer = await new_member(auth, place, "reviewer")
    viewer = await new_member(auth, place, "viewer")
    shown = await members(auth, reviewer)
    assert set(shown) == {place.owner.login, reviewer.login, viewer.login}
    assert shown[viewer.login]["subject"] == viewer.subject
    assert (shown[viewer.login]["role"], shown[viewer.login]["status"]) == ("viewer", "active")
    assert shown[reviewer.login]["last_used_at"] is not None
    assert shown[viewer.login]["last_used_at"] is None
    assert "member.read" in refusal(await auth.ask(viewer.token, "GET", f"{API}/members"), 403)
    for name in (viewer.login, viewer.subject, viewer.subject.partition(":")[2]):
        one = said(await auth.ask(reviewer.token, "GET", f"{API}/members/{name}"))
        assert one["login"] == viewer.login


async def test_another_tenants_member_cannot_be_told_from_nobody(auth: Auth) -> None:
    mine, theirs = await new_place(auth), await new_place(auth)
    stranger = await new_member(auth, theirs, "viewer")
    for method, tail in (("GET", ""), ("POST", "/suspend"), ("POST", "/resume"), ("DELETE", "")):
        answers = []
        for name in (stranger.login, "nobody@example.org"):
            path = f"{API}/members/{name}{tail}"
            answers.append(refusal(await auth.ask(mine.owner.token, method, path), 404))
        assert answers[0].replace(stranger.login, "nobody@example.org") == answers[1]
    assert (await auth.exchange(stranger.token, "auth")).status == 200


async def test_a_suspended_member_may_do_nothing_until_resumed(auth: Auth) -> None:
    place = await new_place(auth)
    admin, viewer = await new_member(auth, place, "admin"), await new_member(auth, place, "viewer")
    known = await auth.principal(viewer.token)
    for _ in range(2):
        assert said(await do(auth, admin, "suspend", viewer.login))["status"] == "suspended"
    reply = await auth.exchange(viewer.token, "auth")
    assert said(reply, 400)["error_description"] == "the account is suspended"

    async def denied() -> bool:
        reply = await auth.ask_as(known, "GET", f"{API}/tokens")
        return reply.status == 403

    # The principal it had is signed for a minute, and is of an older version of its access.
    await eventually(denied)
    assert said(await do(auth, admin, "resume", viewer.login))["status"] == "active"
    assert (await auth.ask(viewer.token, "GET", f"{API}/tokens")).status == 200


async def test_a_removed_members_tokens_and_grants_end_with_it(auth: Auth) -> None:
    place = await new_place(auth)
    leaver = await new_member(auth, place, "contributor")
    await grant(auth, place, leaver, permissions=["model.alias"])
    assert (await do(auth, place.owner, "remove", leaver.login)).status == 204
    assert said(await auth.exchange(leaver.token, "auth"), 400)["credential_refused"] is True
    assert leaver.login not in await members(auth, place.owner)
    refusal(await do(auth, place.owner, "remove", leaver.login), 404)
    refusal(await do(auth, place.owner, "resume", leaver.login), 404)

    code = said(await invite(auth, place.owner, leaver.login, "viewer"), 201)["code"]
    assert said(await accept(auth, code, PASSWORD))["subject"] == leaver.subject
    shown = await members(auth, place.owner)
    assert shown[leaver.login]["role"] == "viewer"
    # The token it had stays ended, and what it was granted is gone.
    assert (await auth.exchange(leaver.token, "auth")).status == 400
    async with auth.running.database.reading(place.number) as connection:
        assert await connection.fetchval("SELECT count(*) FROM grants") == 0

    async def it_is_told() -> bool:
        told_of = [
            fact["payload"]
            for fact in await told(auth, place.number)
            if fact["type"] == "auth.grant.revoked"
        ]
        return [fact["grant"]["permissions"] for fact in told_of] == [["model.alias"]]

    await eventually(it_is_told, within=60)


async def test_what_happens_to_members_is_told(auth: Auth) -> None:
    place = await new_place(auth)
    person = await new_member(auth, place, "viewer")
    for doing in ("suspend", "resume", "remove"):
        assert (await do(auth, place.owner, doing, person.login)).status in (200, 204)

    async def about() -> list[dict[str, Any]]:
        facts = [
            fact
            for fact in await told(auth, place.number)
            if fact["type"].startswith("auth.user.") and person.subject.endswith(fact["key"])
        ]
        facts.sort(key=lambda fact: fact["payload"]["version"])
        return facts if len(facts) == 4 else []

    facts = await eventually(about, within=20)
    assert [fact["type"].rpartition(".")[2] for fact in facts] == [
        "created",
        "changed",
        "changed",
        "removed",
    ]
    assert [fact["payload"]["user"]["status"] for fact in facts] == [
        "active",
        "suspended",
        "active",
        "removed",
    ]
    assert facts[0]["actor"] == person.subject
    assert {fact["actor"] for fact in facts[1:]} == {place.owner.subject}
    revoked = [f for f in await told(auth, place.number) if f["type"] == "auth.token.revoked"]
    assert [fact["payload"]["token"]["subject"] for fact in revoked] == [person.subject]


@pytest.mark.parametrize("doing", ["suspend", "remove"])
async def test_the_last_active_owner_stays(auth: Auth, doing: str) -> None:
    place = await new_place(auth)
    assert "last active owner" in refusal(
        await do(auth, place.owner, doing, place.owner.login), 403
    )
    second = await new_member(auth, place, "owner")
    said(await do(auth, place.owner, "suspend", second.login))
    assert "last active owner" in refusal(
        await do(auth, place.owner, doing, place.owner.login), 403
    )
    said(await do(auth, place.owner, "resume", second.login))
    assert (await do(auth, place.owner, doing, place.owner.login)).status in (200, 204)
    assert "last active owner" in refusal(await do(auth, second, doing, second.login), 403)


@pytest.mark.parametrize("doing", ["suspend", "remove"])
async def test_an_owner_whose_login_is_suspended_is_none_that_stays(auth: Auth, doing: str) -> None:
    place = await new_place(auth)
    second = await new_member(auth, place, "owner")
    statement = "UPDATE users SET status = 'suspended' WHERE login = $1"
    await as_owner(auth, 0, statement, second.login)
    reply = await do(auth, place.owner, doing, place.owner.login)
    assert "last active owner" in refusal(reply, 403)


@pytest.mark.parametrize("doing", ["suspend", "remove"])
async def test_owners_who_put_each_other_out_at_once_leave_one(auth: Auth, doing: str) -> None:
    for _ in range(3):
        place = await new_place(auth)
        owners = [place.owner, *[await new_member(auth, place, "owner") for _ in range(3)]]
        principals = [await auth.principal(owner.token) for owner in owners]
        method, tail = ("DELETE", "") if doing == "remove" else ("POST", f"/{doing}")
        await asyncio.gather(
            *(
                auth.ask_as(principal, method, f"{API}/members/{other.login}{tail}")
                for principal in principals
                for other in owners
            )
        )
        async with auth.running.database.reading(place.number) as connection:
            left = await connection.fetchval(
                "SELECT count(*) FROM memberships WHERE role = 'owner' AND status = 'active'"
            )
        assert left >= 1


async def test_nobody_touches_a_member_who_holds_more(auth: Auth) -> None:
    place = await new_place(auth)
    admin = await new_member(auth, place, "admin")
    for doing in ("suspend", "resume", "remove"):
        why = refusal(await do(auth, admin, doing, place.owner.login), 403)
        assert "tenant.manage" in why
    other_admin = await new_member(auth, place, "admin")
    said(await do(auth, admin, "suspend", other_admin.login))
    await grant(auth, place, other_admin, permissions=["tenant.manage"])
    assert "tenant.manage" in refusal(await do(auth, admin, "resume", other_admin.login), 403)


async def test_who_may_not_manage_members_changes_none(auth: Auth) -> None:
    place = await new_place(auth)
    reviewer = await new_member(auth, place, "reviewer")
    viewer = await new_member(auth, place, "viewer")
    for doing in ("suspend", "resume", "remove"):
        why = refusal(await do(auth, reviewer, doing, viewer.login), 403)
        assert "member.manage" in why
    assert (await auth.exchange(viewer.token, "auth")).status == 200


async def test_a_membership_ends_in_one_tenant_only(auth: Auth) -> None:
    first, second = await new_place(auth), await new_place(auth)
    person = await new_member(auth, first, "viewer")
    code = said(await invite(auth, second.owner, person.login, "viewer"), 201)["code"]
    said(await accept(auth, code))
    there = await token_for(auth, second.id, second.number, person.subject)
    assert (await do(auth, first.owner, "remove", person.login)).status == 204
    assert (await auth.exchange(person.token, "auth")).status == 400
    assert (await auth.exchange(there, "auth")).status == 200


async def test_a_member_is_known_by_the_same_names_wherever_it_is_named(auth: Auth) -> None:
    place = await new_place(auth)
    viewer = await new_member(auth, place, "viewer")
    body = {"name": "nightly", "role": "viewer"}
    made = said(await auth.ask(place.owner.token, "POST", f"{API}/service-accounts", body), 201)
    for name, login in ((viewer.login.upper(), viewer.login), ("nightly", made["login"])):
        path = f"{API}/members/{name}"
        assert said(await auth.ask(place.owner.token, "GET", path))["login"] == login
        reply = await auth.ask(place.owner.token, "PUT", f"{path}/role", {"role": "viewer"})
        assert said(reply)["login"] == login
    # Neither is the other kind of member.
    for subject in (viewer.subject, made["subject"]):
        kind, _, user_id = subject.partition(":")
        other = f"{'user' if kind == 'service' else 'service'}:{user_id}"
        refusal(await auth.ask(place.owner.token, "GET", f"{API}/members/{other}"), 404)
        refusal(await auth.ask(place.owner.token, "DELETE", f"{API}/members/{other}"), 404)
    # A person may have the login that an account has for a name.
    said(await invite(auth, place.owner, "nightly", "viewer"), 201)
