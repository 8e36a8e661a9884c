"""Tenants, as the platform's operator makes and changes them."""

import asyncio
from typing import Any

import pytest

from libs.common.contracts.plans import PLANS
from libs.common.http.calling import call
from libs.common.principal import PRINCIPAL_HEADER
from tests.service.auth.installation import Auth
from tests.service.auth.tenancy import (
    API,
    accept,
    invite,
    members,
    new_login,
    new_member,
    new_place,
    operate,
    refusal,
    said,
    token_for,
    told,
)
from tests.waiting import eventually


async def listed(auth: Auth, query: str) -> dict[str, Any]:
    """A page of tenants."""
    principal = await auth.principal(auth.operator_token)
    headers = [(PRINCIPAL_HEADER, principal)]
    return said(await call(auth.app, "GET", f"{API}/tenants", query=query, headers=headers))


async def test_the_first_tenant_is_on_the_plan_without_limits(auth: Auth) -> None:
    tenant = said(await operate(auth, "GET", "/tenants/default"))
    assert (tenant["tenant_no"], tenant["plan"], tenant["status"]) == (1, "unlimited", "active")


async def test_a_new_tenant_begins_with_its_owner_alone(auth: Auth) -> None:
    place = await new_place(auth, plan="team")
    shown = await members(auth, place.owner)
    assert {login: (m["role"], m["kind"]) for login, m in shown.items()} == {
        place.owner.login: ("owner", "person")
    }
    answer = said(await auth.exchange(place.owner.token, "auth", "tracking"))
    assert (answer["tenant"], answer["tenant_no"], answer["plan"]) == (
        place.id,
        place.number,
        "team",
    )


async def test_what_the_operator_does_is_told_in_the_tenant(auth: Auth) -> None:
    place = await new_place(auth)
    said(await operate(auth, "PATCH", f"/tenants/{place.name}", {"plan": "business"}))

    async def all_there() -> list[dict[str, Any]]:
        facts = await told(auth, place.number)
        return facts if any(fact["type"] == "auth.tenant.changed" for fact in facts) else []

    facts = {fact["type"]: fact for fact in await eventually(all_there, within=20)}
    made, changed = facts["auth.tenant.created"], facts["auth.tenant.changed"]
    assert made["actor"].startswith("operator:")
    assert (made["payload"]["version"], made["payload"]["tenant"]["plan"]) == (1, "team")
    assert (changed["payload"]["version"], changed["payload"]["tenant"]["plan"]) == (2, "business")
    assert facts["auth.invitation.made"]["actor"] == made["actor"]
    assert facts["auth.invitation.accepted"]["actor"] == place.owner.subject


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"name": "Upper", "owner": "ann"}, "name"),
        ({"name": "-x", "owner": "ann"}, "name"),
        ({"name": "a/b", "owner": "ann"}, "name"),
        ({"name": "fine-name"}, "owner"),
        ({"name": "fine-name", "owner": "a/b"}, "owner"),
        ({"name": "fine-name", "owner": "ann", "plan": "golden"}, "plan"),
        ({"name": "fine-name", "owner": "ann", "expires_in_days": 15}, "expires_in_days"),
    ],
)
async def test_a_bad_tenant_is_refused_naming_the_field(
    auth: Auth, body: dict[str, object], named: str
) -> None:
    assert named in refusal(await operate(auth, "POST", "/tenants", body), 400)
    reply = await operate(auth, "GET", "/tenants/fine-name")
    refusal(reply, 404)


async def test_a_name_is_one_tenants_even_when_asked_for_at_once(auth: Auth) -> None:
    body = {"name": "contended", "owner": new_login()}
    replies = await asyncio.gather(*(operate(auth, "POST", "/tenants", body) for _ in range(5)))
    assert sorted(reply.status for reply in replies) == [201, 400, 400, 400, 400]
    place = await new_place(auth)
    taken = await operate(auth, "PATCH", f"/tenants/{place.name}", {"name": "contended"})
    assert "name" in refusal(taken, 400)


async def test_tenants_are_listed_in_pages(auth: Auth) -> None:
    for _ in range(2):
        await new_place(auth)
    whole = said(await operate(auth, "GET", "/tenants"))
    names = [tenant["name"] for tenant in whole["tenants"]]
    assert names == sorted(names)
    assert len(names) > 2
    found: list[str] = []
    after = ""
    while True:
        from_here = await listed(auth, f"max_results=2&page_token={after}")
        found += [tenant["name"] for tenant in from_here["tenants"]]
        if from_here["next_page_token"] is None:
            break
        after = from_here["next_page_token"]
    assert found == names


async def test_no_credential_of_a_suspended_tenant_is_accepted_until_it_is_resumed(
    auth: Auth,
) -> None:
    place = await new_place(auth)
    member = await new_member(auth, place, "viewer")
    code = said(await invite(auth, place.owner, new_login(), "viewer"), 201)["code"]
    said(await operate(auth, "PATCH", f"/tenants/{place.name}", {"status": "suspended"}))
    for token in (place.owner.token, member.token):
        reply = await auth.exchange(token, "auth")
        assert "suspended" in said(reply, 400)["error_description"]
    assert "suspended" in refusal(await accept(auth, code), 409)
    said(await operate(auth, "PATCH", f"/tenants/{place.name}", {"status": "active"}))
    assert (await auth.exchange(member.token, "auth")).status == 200
    said(await accept(auth, code))


async def test_what_a_service_learnt_while_a_tenant_was_suspended_does_not_outlast_it(
    auth: Auth,
) -> None:
    place = await new_place(auth)
    member = await new_member(auth, place, "viewer")
    headers = [(PRINCIPAL_HEADER, await auth.principal(member.token))]
    said(await operate(auth, "PATCH", f"/tenants/{place.name}", {"status": "suspended"}))
    # A principal from before is good for a minute; it makes the service ask what it may do.
    late = await call(auth.app, "GET", f"{API}/tokens", headers=headers)
    refusal(late, 403)
    said(await operate(auth, "PATCH", f"/tenants/{place.name}", {"status": "active"}))
    said(await auth.ask(member.token, "GET", f"{API}/tokens"))


async def test_service_accounts_follow_their_tenants_name(auth: Auth) -> None:
    place = await new_place(auth)
    path = f"{API}/service-accounts"
    made = await auth.ask(place.owner.token, "POST", path, {"name": "ci", "role": "viewer"})
    assert said(made, 201)["login"] == f"{place.name}/ci"
    renamed = f"{place.name}-renamed"
    said(await operate(auth, "PATCH", f"/tenants/{place.name}", {"name": renamed}))
    assert f"{renamed}/ci" in await members(auth, place.owner)
    said(await auth.ask(place.owner.token, "POST", f"{path}/ci/suspend"))


async def test_a_tenant_whose_owner_never_came_gets_another_code(auth: Auth) -> None:
    login = new_login("late")
    body = {"name": "waits-for-owner", "owner": login}
    made = said(await operate(auth, "POST", "/tenants", body), 201)
    again = said(
        await operate(auth, "POST", "/tenants/waits-for-owner/owners", {"login": login}), 201
    )
    assert "taken back" in refusal(await accept(auth, made["owner"]["code"]), 409)
    assert said(await accept(auth, again["code"]))["role"] == "owner"


async def test_a_plan_bounds_the_members_and_open_invitations(auth: Auth) -> None:
    place = await new_place(auth, plan="free")
    for _ in range(PLANS["free"].members - 2):
        await new_member(auth, place, "viewer")
    last = said(await invite(auth, place.owner, new_login(), "viewer"), 201)
    for reply in (
        await invite(auth, place.owner, new_login(), "viewer"),
        await auth.ask(place.owner.token, "POST", f"{API}/service-accounts", {"name": "ci"}),
    ):
        why = refusal(reply, 403)
        assert "'free'" in why
        assert str(PLANS["free"].members) in why
    said(await accept(auth, last["code"]))
    said(await operate(auth, "PATCH", f"/tenants/{place.name}", {"plan": "team"}))
    said(await invite(auth, place.owner, new_login(), "viewer"), 201)


async def test_an_owner_of_a_tenant_invited_to_another_is_one_user_in_both(auth: Auth) -> None:
    first, second = await new_place(auth), await new_place(auth)
    code = said(await invite(auth, second.owner, first.owner.login, "viewer"), 201)["code"]
    joined = said(await accept(auth, code))
    assert joined["subject"] == first.owner.subject
    token = await token_for(auth, second.id, second.number, joined["subject"])
    shown = said(await auth.exchange(token, "auth", "tracking"))
    assert (shown["tenant"], shown["subject"]) == (second.id, first.owner.subject)
    refusal(await auth.ask(token, "GET", f"{API}/members"), 403)
    assert first.owner.login in await members(auth, first.owner)
