"""Service accounts: members that are no persons, of one tenant, with tokens alone."""

from typing import Any

import jwt
import pytest

from tests.service.auth.installation import Auth
from tests.service.auth.tenancy import (
    API,
    Person,
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

ACCOUNTS = f"{API}/service-accounts"


async def add(auth: Auth, by: Person, name: str, role: str | None = None) -> Any:
    """Make a service account."""
    return await auth.ask(by.token, "POST", ACCOUNTS, {"name": name, "role": role})


async def token_of(auth: Auth, by: Person, name: str) -> Any:
    """Make a token for a service account."""
    return await auth.ask(by.token, "POST", f"{ACCOUNTS}/{name}/tokens", {"name": "job"})


async def test_an_account_acts_with_its_token_as_itself(auth: Auth) -> None:
    place = await new_place(auth)
    body = {"name": "nightly", "role": "contributor", "description": "Trains at night."}
    made = said(await auth.ask(place.owner.token, "POST", ACCOUNTS, body), 201)
    assert (made["login"], made["kind"]) == (f"{place.name}/nightly", "service")
    assert made["display_name"] == "Trains at night."
    token = said(await token_of(auth, place.owner, "nightly"), 201)["token"]
    principal = await auth.principal(token, "tracking")
    claims = jwt.decode(principal, options={"verify_signature": False})
    assert claims["sub"] == made["subject"] == f"service:{made['id']}"
    assert claims["tno"] == place.number
    own = said(await auth.ask(token, "GET", f"{API}/tokens"))["tokens"]
    assert [found["name"] for found in own] == ["job"]
    said(await auth.ask(token, "POST", f"{API}/tokens", {"name": "next"}), 201)
    listed = said(await auth.ask(place.owner.token, "GET", ACCOUNTS))["members"]
    assert [account["login"] for account in listed] == [f"{place.name}/nightly"]
    assert f"{place.name}/nightly" in await members(auth, place.owner)

    async def issued() -> list[str]:
        return [
            fact["payload"]["token"]["subject"]
            for fact in await told(auth, place.number)
            if fact["type"] == "auth.token.issued" and fact["payload"]["token"]["name"] == "job"
        ]

    assert await eventually(issued, within=20) == [made["subject"]]


async def test_suspended_and_deleted_its_tokens_are_refused(auth: Auth) -> None:
    place = await new_place(auth)
    first = said(await add(auth, place.owner, "ci", "viewer"), 201)
    token = said(await token_of(auth, place.owner, "ci"), 201)["token"]
    said(await auth.ask(place.owner.token, "POST", f"{ACCOUNTS}/ci/suspend"))
    assert (await auth.exchange(token, "auth")).status == 400
    said(await auth.ask(place.owner.token, "POST", f"{ACCOUNTS}/ci/resume"))
    assert (await auth.exchange(token, "auth")).status == 200
    assert (await auth.ask(place.owner.token, "DELETE", f"{ACCOUNTS}/ci")).status == 204
    assert (await auth.exchange(token, "auth")).status == 400
    for reply in (
        await token_of(auth, place.owner, "ci"),
        await auth.ask(place.owner.token, "DELETE", f"{ACCOUNTS}/ci"),
    ):
        refusal(reply, 404)
    # The name is free, and whoever has it next is somebody else.
    second = said(await add(auth, place.owner, "ci", "viewer"), 201)
    assert second["id"] != first["id"]
    assert (await auth.exchange(token, "auth")).status == 400


async def test_nobody_makes_an_account_or_its_token_that_holds_more_than_they_do(
    auth: Auth,
) -> None:
    place = await new_place(auth)
    admin = await new_member(auth, place, "admin")
    assert "tenant.manage" in refusal(await add(auth, admin, "strong", "owner"), 403)
    said(await add(auth, place.owner, "strong", "owner"), 201)
    assert "tenant.manage" in refusal(await token_of(auth, admin, "strong"), 403)
    said(await add(auth, admin, "weak", "contributor"), 201)
    said(await token_of(auth, admin, "weak"), 201)
    reviewer = await new_member(auth, place, "reviewer")
    for reply in (await add(auth, reviewer, "mine"), await token_of(auth, reviewer, "weak")):
        assert "token.manage" in refusal(reply, 403)


async def test_an_account_is_its_tenants_alone(auth: Auth) -> None:
    mine, theirs = await new_place(auth), await new_place(auth)
    made = said(await add(auth, theirs.owner, "ci", "viewer"), 201)
    said(await add(auth, mine.owner, "ci", "viewer"), 201)
    for name in ("other", made["subject"]):
        refusal(await token_of(auth, mine.owner, name), 404)
    refusal(await auth.ask(mine.owner.token, "GET", f"{API}/members/{made['subject']}"), 404)
    token = said(await token_of(auth, theirs.owner, "ci"), 201)["token"]
    code = said(await invite(auth, mine.owner, new_login(), "viewer"), 201)["code"]
    reply = await auth.ask(token, "POST", f"{API}/invitations/join", {"code": code})
    refusal(reply, 403)


async def test_an_account_is_no_owner_that_could_be_the_last(auth: Auth) -> None:
    place = await new_place(auth)
    said(await add(auth, place.owner, "machine", "owner"), 201)
    reply = await auth.ask(place.owner.token, "DELETE", f"{API}/members/{place.owner.login}")
    assert "last active owner" in refusal(reply, 403)
    assert (await auth.ask(place.owner.token, "DELETE", f"{ACCOUNTS}/machine")).status == 204


async def test_a_member_is_no_service_account(auth: Auth) -> None:
    place = await new_place(auth)
    viewer = await new_member(auth, place, "viewer")
    for name in (viewer.login, viewer.subject):
        refusal(await token_of(auth, place.owner, name), 404)
        refusal(await auth.ask(place.owner.token, "DELETE", f"{ACCOUNTS}/{name}"), 404)


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "a~b", "a b", "x" * 64])
async def test_a_name_that_cannot_be_is_refused(auth: Auth, name: str) -> None:
    place = await new_place(auth)
    assert "name" in refusal(await add(auth, place.owner, name), 400)
    said(await add(auth, place.owner, "taken"), 201)
    assert "exists" in refusal(await add(auth, place.owner, "taken"), 400)
