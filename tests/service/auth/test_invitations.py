"""Invitations: a code shown once, accepted once, worth no more than who made it."""

import asyncio
import logging
from typing import Any

import asyncpg
import pytest

from tests.service.auth.installation import Auth
from tests.service.auth.tenancy import (
    API,
    PASSWORD,
    Person,
    accept,
    invite,
    members,
    new_login,
    new_member,
    new_place,
    refusal,
    said,
    told,
)
from tests.waiting import eventually

OTHER = "another good password"


async def join(auth: Auth, by: Person, code: str) -> Any:
    """Accept an invitation, signed in."""
    return await auth.ask(by.token, "POST", f"{API}/invitations/join", {"code": code})


async def test_a_code_makes_a_member_once(auth: Auth) -> None:
    place = await new_place(auth)
    login = new_login("Ann")
    made = said(await invite(auth, place.owner, login, "contributor"), 201)
    assert made["code"].startswith("msi_")
    assert (made["invitation"]["login"], made["invitation"]["status"]) == (login.lower(), "open")
    joined = said(await accept(auth, made["code"], display_name="Ann"))
    assert (joined["tenant"], joined["login"]) == (place.name, login.lower())
    member = (await members(auth, place.owner))[login.lower()]
    assert (member["role"], member["display_name"]) == ("contributor", "Ann")
    assert "accepted before" in refusal(await accept(auth, made["code"]), 409)


async def test_accepted_by_many_at_once_it_makes_one_member(auth: Auth) -> None:
    place = await new_place(auth)
    code = said(await invite(auth, place.owner, new_login(), "viewer"), 201)["code"]
    replies = await asyncio.gather(*(accept(auth, code) for _ in range(4)))
    assert sorted(reply.status for reply in replies) == [200, 409, 409, 409]
    assert len(await members(auth, place.owner)) == 2


@pytest.mark.parametrize("code", ["x", "msi_" + "0" * 36, "msi_" + "é" * 36])
async def test_an_unknown_code_is_told_nothing(auth: Auth, code: str) -> None:
    assert "No such invitation" in refusal(await accept(auth, code), 404)


async def test_a_code_is_no_token_and_a_token_no_code(auth: Auth) -> None:
    place = await new_place(auth)
    code = said(await invite(auth, place.owner, new_login(), "viewer"), 201)["code"]
    reply = await auth.exchange(code, "auth")
    assert "invitation" in said(reply, 400)["error_description"]
    refusal(await accept(auth, place.owner.token), 404)


async def test_an_invitation_that_was_taken_back_or_is_old_makes_nobody_a_member(
    auth: Auth,
) -> None:
    place = await new_place(auth)
    made = [
        said(await invite(auth, place.owner, new_login(), "viewer", expires_in_days=1), 201)
        for _ in range(2)
    ]
    path = f"{API}/invitations/{made[0]['invitation']['id']}"
    for _ in range(2):
        assert (await auth.ask(place.owner.token, "DELETE", path)).status == 204
    assert "taken back" in refusal(await accept(auth, made[0]["code"]), 409)
    async with auth.running.database.transaction(place.number) as connection:
        await connection.execute(
            "UPDATE invitations SET expires_at = now() WHERE invitation_id = $1::uuid",
            made[1]["invitation"]["id"],
        )
    assert "expired" in refusal(await accept(auth, made[1]["code"]), 409)
    listed = said(await auth.ask(place.owner.token, "GET", f"{API}/invitations"))["invitations"]
    states = {found["id"]: found["status"] for found in listed}
    assert [states[one["invitation"]["id"]] for one in made] == ["revoked", "expired"]
    assert len(await members(auth, place.owner)) == 1


@pytest.mark.parametrize("days", [0, 15, 10**30])
async def test_an_invitation_lives_two_weeks_at_most(auth: Auth, days: int) -> None:
    place = await new_place(auth)
    reply = await invite(auth, place.owner, new_login(), "viewer", expires_in_days=days)
    assert "expires_in_days" in refusal(reply, 400)


@pytest.mark.parametrize("login", ["", "a/b", "a b", "-a", "a" * 255, "ä@example.org"])
async def test_a_login_that_cannot_be_is_refused(auth: Auth, login: str) -> None:
    place = await new_place(auth)
    assert "login" in refusal(await invite(auth, place.owner, login, "viewer"), 400)


async def test_nobody_invites_with_more_than_they_hold(auth: Auth) -> None:
    place = await new_place(auth)
    admin = await new_member(auth, place, "admin")
    assert "tenant.manage" in refusal(await invite(auth, admin, new_login(), "owner"), 403)
    said(await invite(auth, admin, new_login(), "admin"), 201)
    assert "no role 'emperor'" in refusal(await invite(auth, admin, new_login(), "emperor"), 400)
    reviewer = await new_member(auth, place, "reviewer")
    assert "member.manage" in refusal(await invite(auth, reviewer, new_login(), "viewer"), 403)
    owners = said(await invite(auth, place.owner, new_login(), "owner"), 201)["invitation"]
    path = f"{API}/invitations/{owners['id']}"
    assert "tenant.manage" in refusal(await auth.ask(admin.token, "DELETE", path), 403)


@pytest.mark.parametrize("how", ["suspend", "remove"])
async def test_an_invitation_is_worth_no_more_than_who_made_it(auth: Auth, how: str) -> None:
    place = await new_place(auth)
    admin = await new_member(auth, place, "admin")
    code = said(await invite(auth, admin, new_login("backdoor"), "admin"), 201)["code"]
    path = f"{API}/members/{admin.login}"
    if how == "remove":
        assert (await auth.ask(place.owner.token, "DELETE", path)).status == 204
    else:
        said(await auth.ask(place.owner.token, "POST", f"{path}/suspend"))
    assert "may not any more" in refusal(await accept(auth, code), 409)
    assert not any("backdoor" in login for login in await members(auth, place.owner))


@pytest.mark.parametrize("how", ["suspend", "remove", "viewer"])
@pytest.mark.parametrize("role", [None, "viewer"])
async def test_who_may_not_invite_any_more_has_invited_nobody(
    auth: Auth, how: str, role: str | None
) -> None:
    place = await new_place(auth)
    admin = await new_member(auth, place, "admin")
    code = said(await invite(auth, admin, new_login(), role), 201)["code"]
    path = f"{API}/members/{admin.login}"
    if how == "remove":
        reply = await auth.ask(place.owner.token, "DELETE", path)
    elif how == "suspend":
        reply = await auth.ask(place.owner.token, "POST", f"{path}/suspend")
    else:
        reply = await auth.ask(place.owner.token, "PUT", f"{path}/role", {"role": how})
    assert reply.status in (200, 204)
    assert "may not any more" in refusal(await accept(auth, code), 409)


async def test_an_invitation_to_no_role_is_worth_something(auth: Auth) -> None:
    place = await new_place(auth)
    admin = await new_member(auth, place, "admin")
    login = new_login()
    code = said(await invite(auth, admin, login, None), 201)["code"]
    said(await accept(auth, code))
    assert (await members(auth, place.owner))[login]["role"] is None


async def test_somebody_is_invited_once_at_a_time_and_not_when_a_member(auth: Auth) -> None:
    place = await new_place(auth)
    login = new_login()
    made = said(await invite(auth, place.owner, login, "viewer"), 201)
    why = refusal(await invite(auth, place.owner, login.upper(), "viewer"), 400)
    assert made["invitation"]["id"] in why
    said(await accept(auth, made["code"]))
    assert "a member already" in refusal(await invite(auth, place.owner, login, "viewer"), 400)
    path = f"{API}/invitations/{made['invitation']['id']}"
    assert "accepted" in refusal(await auth.ask(place.owner.token, "DELETE", path), 409)


async def test_a_new_login_needs_a_password_of_some_length(auth: Auth) -> None:
    place = await new_place(auth)
    login = new_login()
    code = said(await invite(auth, place.owner, login, "viewer"), 201)["code"]
    assert login in refusal(await accept(auth, code, None), 400)
    for password in ("short", "x" * 1025):
        assert "password" in refusal(await accept(auth, code, password), 400)
    said(await accept(auth, code, OTHER))


async def test_a_known_login_shows_its_own_password(auth: Auth) -> None:
    first, second = await new_place(auth), await new_place(auth)
    person = await new_member(auth, first, "viewer")
    code = said(await invite(auth, second.owner, person.login, "viewer"), 201)["code"]
    assert person.login in refusal(await accept(auth, code, OTHER), 401)
    assert person.login not in await members(auth, second.owner)
    assert said(await accept(auth, code, PASSWORD))["subject"] == person.subject


async def test_few_passwords_can_be_tried_with_an_invitation(auth: Auth) -> None:
    first, second = await new_place(auth), await new_place(auth)
    person = await new_member(auth, first, "viewer")
    made = said(await invite(auth, second.owner, person.login, "viewer"), 201)
    replies = await asyncio.gather(*(accept(auth, made["code"], OTHER) for _ in range(8)))
    assert sorted(reply.status for reply in replies) == [401] * 5 + [409] * 3
    assert "Too many" in refusal(await accept(auth, made["code"], PASSWORD), 409)
    path = f"{API}/invitations/{made['invitation']['id']}"
    assert (await auth.ask(second.owner.token, "DELETE", path)).status == 204
    again = await invite(auth, second.owner, person.login, "viewer")
    assert "tomorrow" in refusal(again, 409)


async def test_who_is_signed_in_joins_as_themselves(auth: Auth) -> None:
    first, second = await new_place(auth), await new_place(auth)
    person, other = [await new_member(auth, first, "viewer") for _ in range(2)]
    code = said(await invite(auth, second.owner, person.login, "reviewer"), 201)["code"]
    assert "another login" in refusal(await join(auth, other, code), 403)
    joined = said(await join(auth, person, code))
    assert (joined["tenant"], joined["subject"]) == (second.name, person.subject)
    assert (await members(auth, second.owner))[person.login]["role"] == "reviewer"
    assert "accepted before" in refusal(await join(auth, person, code), 409)


async def test_who_is_signed_in_joins_though_others_guessed(auth: Auth) -> None:
    first, second = await new_place(auth), await new_place(auth)
    person = await new_member(auth, first, "viewer")
    code = said(await invite(auth, second.owner, person.login, "viewer"), 201)["code"]
    await asyncio.gather(*(accept(auth, code, OTHER) for _ in range(6)))
    refusal(await accept(auth, code, PASSWORD), 409)
    assert said(await join(auth, person, code))["subject"] == person.subject


async def test_the_last_password_that_may_be_tried_can_be_the_right_one(auth: Auth) -> None:
    first, second = await new_place(auth), await new_place(auth)
    person = await new_member(auth, first, "viewer")
    code = said(await invite(auth, second.owner, person.login, "viewer"), 201)["code"]
    for _ in range(4):
        refusal(await accept(auth, code, OTHER), 401)
    assert said(await accept(auth, code, PASSWORD))["subject"] == person.subject


async def test_invitations_are_their_tenants_alone(auth: Auth) -> None:
    mine, theirs = await new_place(auth), await new_place(auth)
    made = said(await invite(auth, theirs.owner, new_login(), "viewer"), 201)["invitation"]
    listed = said(await auth.ask(mine.owner.token, "GET", f"{API}/invitations"))["invitations"]
    assert made["id"] not in [found["id"] for found in listed]
    refusal(await auth.ask(mine.owner.token, "DELETE", f"{API}/invitations/{made['id']}"), 404)


async def test_codes_and_passwords_are_kept_nowhere(
    auth: Auth, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    place = await new_place(auth)
    login, password = new_login(), "a password like no other"
    made = said(await invite(auth, place.owner, login, "viewer"), 201)
    said(await accept(auth, made["code"], password))

    async def accepted() -> list[dict[str, Any]]:
        facts = await told(auth, place.number)
        return [fact for fact in facts if login in str(fact["payload"])]

    async def all_accepted() -> bool:
        kinds = {fact["type"] for fact in await accepted()}
        return {"auth.invitation.made", "auth.invitation.accepted", "auth.user.created"} <= kinds

    await eventually(all_accepted, within=20)
    listed = await auth.ask(place.owner.token, "GET", f"{API}/invitations")
    connection = await asyncpg.connect(auth.environment["MAESTRO_POSTGRES_URL"])
    try:
        await connection.execute("SET ROLE auth_owner")
        await connection.execute(f"SELECT set_config('app.tenant', '{place.number}', false)")
        tables = await connection.fetch(
            "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'auth' AND c.relkind = 'r'"
        )
        kept = [
            row["row"]
            for table in tables
            for row in await connection.fetch(f"SELECT t::text AS row FROM auth.{table[0]} t")
        ]
    finally:
        await connection.close()
    assert any(login in row for row in kept)
    for text in (*kept, listed.body.decode(), caplog.text):
        assert made["code"][4:] not in text
        assert password not in text
