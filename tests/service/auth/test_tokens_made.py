"""Tokens that were made with tokens: they end no later than those, and are revoked with them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from libs.common.http.calling import Reply
from tests.service.auth.installation import Auth
from tests.service.auth.people import PASSWORD, TOKENS, as_owner, member
from tests.service.auth.tenancy import API

FIRST = "a first password of mine"


def said(reply: Reply, status: int = 200) -> dict[str, Any]:
    """A JSON answer, which must have come with a status."""
    assert reply.status == status, reply.body
    found: dict[str, Any] = msgspec.json.decode(reply.body)
    return found


async def made(auth: Auth, by: str, **body: object) -> dict[str, Any]:
    """A new token as it is answered, for 60 days if it may be."""
    wanted = {"name": "made", "expires_in_days": 60, **body}
    return said(await auth.ask(by, "POST", TOKENS, wanted), 201)


async def rotated(auth: Auth, by: str, token_id: str, overlap_hours: int = 0) -> dict[str, Any]:
    """What takes the place of a token."""
    path = f"{TOKENS}/{token_id}/rotate"
    return said(await auth.ask(by, "POST", path, {"overlap_hours": overlap_hours}), 201)


async def end(auth: Auth, by: str, token_id: str) -> None:
    """Revoke a token of one's own."""
    assert (await auth.ask(by, "DELETE", f"{TOKENS}/{token_id}")).status == 204


async def lives(auth: Auth, token: str) -> bool:
    """Whether a token is accepted."""
    reply = await auth.exchange(token, "auth")
    assert reply.status == 200 or "revoked" in said(reply, 400)["error_description"]
    return reply.status == 200


def days_left(token: dict[str, Any]) -> float:
    """How long a token goes on."""
    return (datetime.fromisoformat(token["expires_at"]) - datetime.now(UTC)) / timedelta(days=1)


async def test_a_token_ends_no_later_than_the_one_it_was_made_with(auth: Auth) -> None:
    _, token = await member(auth, "brief", "contributor")
    child = await made(auth, token)
    assert days_left(child) < 1
    assert days_left(await rotated(auth, child["token"], child["id"], 1)) < 1
    assert days_left(await made(auth, child["token"], expires_in_days=1)) < 1
    # Who may make tokens for anybody is not bound, but with a credential for less is.
    _, admins = await member(auth, "brief-admin", "admin")
    assert days_left(await made(auth, admins)) > 59
    narrow = await made(auth, admins, scopes=["token.own", "token.manage"], expires_in_days=2)
    assert days_left(await made(auth, narrow["token"])) < 2
    # Nor is who shows the password.
    reply = await auth.ask(token, "PUT", PASSWORD, {"new": FIRST})
    assert reply.status == 204, reply.body
    principal = said(await auth.sign_in("default/brief", FIRST))["principals"]["auth"]
    body = {"name": "by password", "expires_in_days": 60}
    assert days_left(said(await auth.ask_as(principal, "POST", TOKENS, body), 201)) > 59


async def test_what_a_token_made_is_revoked_with_it_and_what_that_made(auth: Auth) -> None:
    _, token = await member(auth, "ancestor")
    root = await made(auth, token)
    child = await made(auth, root["token"])
    grandchild = await made(auth, child["token"])
    listed = said(await auth.ask(token, "GET", TOKENS))["tokens"]
    makers = {one["id"]: one["issued_by"] for one in listed}
    assert makers[grandchild["id"]] == child["id"]
    assert makers[child["id"]] == root["id"]
    await end(auth, token, root["id"])
    for one in (root, child, grandchild):
        assert not await lives(auth, one["token"])
    assert await lives(auth, token)
    family = [one["id"] for one in (root, child, grandchild)]
    facts = await as_owner(
        auth,
        1,
        "SELECT count(*) FROM outbox WHERE type = 'auth.token.revoked'"
        " AND right(key, 36) = ANY($1::text[])",
        family,
    )
    numbered = await as_owner(
        auth, 1, "SELECT count(*) FROM revocations WHERE kind = 'token' AND id = ANY($1)", family
    )
    assert (facts, numbered) == (3, 3)


async def test_what_takes_a_tokens_place_takes_over_what_it_made(auth: Auth) -> None:
    _, token = await member(auth, "rotating-maker")
    old = await made(auth, token)
    child = await made(auth, old["token"])
    new = await rotated(auth, old["token"], old["id"])
    assert not await lives(auth, old["token"])
    assert await lives(auth, child["token"])
    await end(auth, token, new["id"])
    assert not await lives(auth, child["token"])


async def test_a_token_rotates_no_other_to_outlive_and_survive_itself(auth: Auth) -> None:
    _, token = await member(auth, "rotating-rogue", "contributor")
    reply = await auth.ask(token, "PUT", PASSWORD, {"new": FIRST})
    assert reply.status == 204, reply.body
    principal = said(await auth.sign_in("default/rotating-rogue", FIRST))["principals"]["auth"]
    body = {"name": "long", "expires_in_days": 60}
    long = said(await auth.ask_as(principal, "POST", TOKENS, body), 201)
    rogue = await made(auth, token)
    new = await rotated(auth, rogue["token"], long["id"])
    assert days_left(new) < 1
    await end(auth, token, rogue["id"])
    assert not await lives(auth, new["token"])


async def test_what_a_removed_members_tokens_made_ends_with_them(auth: Auth) -> None:
    user_id, token = await member(auth, "leaving-admin", "admin")
    assert (
        await auth.ask(token, "POST", f"{API}/service-accounts", {"name": "left-behind"})
    ).status == 201
    path = f"{API}/service-accounts/left-behind/tokens"
    job = said(await auth.ask(token, "POST", path, {"name": "job"}), 201)
    assert await lives(auth, job["token"])
    reply = await auth.ask(auth.first_token, "DELETE", f"{API}/members/{user_id}")
    assert reply.status == 204, reply.body
    assert not await lives(auth, job["token"])
