"""Tokens that may do less, come from somewhere only, are rotated, and are kept watch over."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from libs.common.http.calling import Reply
from tests.service.auth.installation import Auth
from tests.service.auth.people import (
    TOKENS,
    add_person,
    add_tenant,
    as_owner,
    join,
    member,
    token_for,
)

INVENTORY = f"{TOKENS}/inventory"
NARROW = ["token.own", "run.*", "experiment:team-a/*"]


def said(reply: Reply) -> dict[str, Any]:
    """A JSON answer."""
    found: dict[str, Any] = msgspec.json.decode(reply.body)
    return found


async def made(auth: Auth, by: str, **body: object) -> dict[str, Any]:
    """A new token as it is answered."""
    reply = await auth.ask(by, "POST", TOKENS, {"name": "made", **body})
    assert reply.status == 201, reply.body
    return said(reply)


async def test_a_token_has_the_scopes_it_was_given_else_those_of_its_maker(auth: Auth) -> None:
    scopes = ["token.own", "run.*"]
    narrow = await made(auth, auth.first_token, scopes=[*scopes, "run.*"])
    assert narrow["scopes"] == scopes
    heir = await made(auth, narrow["token"])
    assert heir["scopes"] == scopes
    principal = await auth.principal(heir["token"])
    assert (await auth.ask_as(principal, "GET", INVENTORY)).status == 403


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        (["token.own", "run.*"], ["*"]),
        (["token.own", "run.*"], ["run.log", "artifact.read"]),
        (["token.own", "run.*"], ["experiment:team-a/*"]),
        (["token.own", "model.read"], ["model.*"]),
    ],
)
async def test_no_token_gets_more_than_the_credential_it_is_made_with(
    auth: Auth, held: list[str], wanted: list[str]
) -> None:
    maker = await made(auth, auth.first_token, scopes=held)
    reply = await auth.ask(maker["token"], "POST", TOKENS, {"name": "x", "scopes": wanted})
    assert reply.status == 400
    assert "no more" in said(reply)["detail"]
    assert " ".join(held) in said(reply)["detail"]


@pytest.mark.parametrize(
    "field",
    [
        {"scopes": []},
        {"scopes": ["admin"]},
        {"scopes": ["run.*", "nothing.*"]},
        {"scopes": ["experiment:"]},
        {"scopes": ["experiment:with space"]},
        {"scopes": ["run.log"] * 101},
        {"scopes": [f"model:{'x' * 60}-{number}" for number in range(90)]},
        {"networks": ["192.0.2.1/24"]},
        {"networks": ["everywhere"]},
        {"workspace_id": 0},
    ],
)
async def test_what_means_nothing_is_refused_by_the_fields_name(
    auth: Auth, field: dict[str, object]
) -> None:
    reply = await auth.ask(auth.first_token, "POST", TOKENS, {"name": "x", **field})
    assert reply.status == 400
    assert next(iter(field)) in said(reply)["detail"]


async def test_a_token_works_in_a_workspace_that_is_there(auth: Auth) -> None:
    path = "/api/3.0/mlflow/workspaces"
    assert (await auth.ask(auth.first_token, "POST", path, {"name": "narrow"})).status == 201
    number = await as_owner(auth, 1, "SELECT workspace_id FROM workspaces WHERE name = 'narrow'")
    there = await made(auth, auth.first_token, workspace_id=number)
    exchanged = said(await auth.exchange(there["token"], "auth", "tracking"))
    assert exchanged["workspace_id"] == number
    body = {"name": "lost", "workspace_id": 4711}
    reply = await auth.ask(auth.first_token, "POST", TOKENS, body)
    assert (reply.status, "workspace_id" in said(reply)["detail"]) == (404, True)


async def test_networks_are_told_to_the_gateway_and_passed_on_to_what_is_made_there(
    auth: Auth,
) -> None:
    bound = await made(auth, auth.first_token, networks=["192.0.2.0/24", "2001:db8::/32"])
    reply = await auth.exchange(bound["token"], "auth", "tracking")
    assert said(reply)["networks"] == ["192.0.2.0/24", "2001:db8::/32"]
    heir = await made(auth, bound["token"])
    assert heir["networks"] == ["192.0.2.0/24", "2001:db8::/32"]
    part = await made(auth, bound["token"], networks=["192.0.2.128/25"])
    assert part["networks"] == ["192.0.2.128/25"]
    for wider in ("192.0.0.0/16", "198.51.100.0/24", "0.0.0.0/0", "::/0"):
        body = {"name": "x", "networks": [wider]}
        refused = await auth.ask(bound["token"], "POST", TOKENS, body)
        assert (refused.status, "networks:" in said(refused)["detail"]) == (400, True), wider


async def test_outside_its_networks_a_token_tells_no_workspace_and_is_not_noted_as_used(
    auth: Auth,
) -> None:
    bound = await made(auth, auth.first_token, networks=["192.0.2.0/24"])
    for address in ("198.51.100.1", "2001:db8::1", "", "nonsense"):
        answers = []
        for workspace in ("", "default", "no-such-place"):
            reply = await auth.exchange(
                bound["token"], "auth", "tracking", workspace=workspace, address=address
            )
            answers.append((reply.status, said(reply)))
        assert answers == [answers[0]] * 3, address
        assert answers[0][0] == 400
        assert answers[0][1]["address_refused"]
    listed = said(await auth.ask(auth.first_token, "GET", TOKENS))["tokens"]
    (shown,) = [one for one in listed if one["id"] == bound["id"]]
    assert shown["last_used_at"] is None
    inside = await auth.exchange(bound["token"], "auth", workspace="no-such-place")
    assert said(inside)["workspace_refused"]
    assert "address_refused" not in said(inside)


async def test_a_rotated_token_works_beside_the_new_one_until_the_overlap_is_over(
    auth: Auth,
) -> None:
    old = await made(
        auth, auth.first_token, scopes=["token.own"], networks=["192.0.2.0/24"], expires_in_days=30
    )
    reply = await auth.ask(
        auth.first_token, "POST", f"{TOKENS}/{old['id']}/rotate", {"overlap_hours": 2}
    )
    assert reply.status == 201, reply.body
    new = said(reply)
    assert new["token"] != old["token"]
    assert (new["scopes"], new["networks"]) == (old["scopes"], old["networks"])
    for secret in (old["token"], new["token"]):
        assert (await auth.exchange(secret, "tracking")).status == 200
    listed = said(await auth.ask(auth.first_token, "GET", TOKENS))["tokens"]
    tokens = {token["id"]: token for token in listed}
    assert tokens[new["id"]]["rotated_from"] == old["id"]
    ends = datetime.fromisoformat(tokens[old["id"]]["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=1, minutes=55) < ends <= timedelta(hours=2)
    lives = datetime.fromisoformat(new["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < lives <= timedelta(days=30)
    facts = await as_owner(
        auth,
        1,
        "SELECT array_agg(type ORDER BY seq) FROM outbox WHERE key LIKE '%' || $1 OR key LIKE '%' || $2",
        old["id"],
        new["id"],
    )
    assert facts == ["auth.token.issued", "auth.token.issued", "auth.token.changed"]


async def test_without_an_overlap_the_old_secret_ends_at_once(auth: Auth) -> None:
    old = await made(auth, auth.first_token)
    path = f"{TOKENS}/{old['id']}/rotate"
    reply = await auth.ask(old["token"], "POST", path, {"overlap_hours": 0})
    assert reply.status == 201, reply.body
    assert "revoked" in said(await auth.exchange(old["token"], "auth"))["error_description"]
    assert (await auth.exchange(said(reply)["token"], "auth")).status == 200
    again = await auth.ask(auth.first_token, "POST", path, {})
    assert again.status == 404


async def test_a_narrow_token_rotates_none_that_may_do_more(auth: Auth) -> None:
    wide = await made(auth, auth.first_token)
    narrow = await made(auth, auth.first_token, scopes=["token.own"])
    reply = await auth.ask(narrow["token"], "POST", f"{TOKENS}/{wide['id']}/rotate", {})
    assert reply.status == 400
    bound = await made(auth, auth.first_token, networks=["192.0.2.0/24"])
    reply = await auth.ask(bound["token"], "POST", f"{TOKENS}/{wide['id']}/rotate", {})
    assert said(reply)["networks"] == ["192.0.2.0/24"]


@pytest.mark.parametrize("body", [{"overlap_hours": 169}, {"overlap_hours": -1}, {"x": 1}])
async def test_a_rotation_of_another_kind_is_refused(auth: Auth, body: dict[str, int]) -> None:
    token = await made(auth, auth.first_token)
    path = f"{TOKENS}/{token['id']}/rotate"
    assert (await auth.ask(auth.first_token, "POST", path, body)).status == 400


async def test_another_members_and_another_tenants_token_are_missing_alike(auth: Auth) -> None:
    _, stranger = await member(auth, "rotation-stranger")
    foreigner = await add_person(auth, "rotation-foreigner")
    await join(auth, await add_tenant(auth, "rotation-elsewhere"), foreigner)
    number = await as_owner(
        auth, 1, "SELECT tenant_no FROM member_tenants WHERE user_id = $1", foreigner
    )
    outside = await token_for(auth, int(str(number)), foreigner)
    token = await made(auth, auth.first_token)
    told = set()
    for by, token_id in ((stranger, token["id"]), (outside, token["id"]), (outside, str(uuid4()))):
        reply = await auth.ask(by, "POST", f"{TOKENS}/{token_id}/rotate", {})
        assert reply.status == 404
        told.add(said(reply)["detail"].replace(token_id, "ID"))
    assert len(told) == 1
    for path in (f"{TOKENS}/{token['id']}", f"{INVENTORY}/{token['id']}"):
        assert (await auth.ask(outside, "DELETE", path)).status == 404
    owners = {row["owner"] for row in said(await auth.ask(outside, "GET", INVENTORY))["tokens"]}
    assert owners == {"rotation-foreigner"}


async def test_an_admin_sees_everybodys_tokens_and_ends_those_nobody_uses(auth: Auth) -> None:
    _, admin = await member(auth, "watchful-admin", "admin")
    user_id, used = await member(auth, "idle-viewer", "viewer")
    _, idle = await auth.new_token(used, name="idle")
    await auth.exchange(used, "auth")
    aged = "UPDATE tokens SET created_at = now() - interval '91 days' WHERE user_id = $1"
    await as_owner(auth, 1, aged, user_id)
    reply = await auth.ask(admin, "GET", f"{INVENTORY}?unused_days=90&owner=idle-viewer")
    (found,) = said(reply)["tokens"]
    assert (found["name"], found["owner"], found["owner_kind"], found["last_used_at"]) == (
        "idle",
        "idle-viewer",
        "person",
        None,
    )
    assert idle[4:] not in reply.body.decode()
    ended = await auth.ask(admin, "DELETE", f"{INVENTORY}/{found['id']}")
    assert ended.status == 204
    assert "revoked" in said(await auth.exchange(idle, "auth"))["error_description"]
    reply = await auth.ask(admin, "GET", f"{INVENTORY}?owner=idle-viewer")
    assert [token["name"] for token in said(reply)["tokens"]] == ["made"]
    reply = await auth.ask(admin, "GET", f"{INVENTORY}?owner=idle-viewer&ended=true")
    assert {token["name"] for token in said(reply)["tokens"]} == {"made", "idle"}
    viewer = await auth.ask(used, "GET", INVENTORY)
    assert (viewer.status, "token.manage" in said(viewer)["detail"]) == (403, True)
    assert (await auth.ask(used, "DELETE", f"{INVENTORY}/{found['id']}")).status == 403


async def test_the_inventory_comes_in_pages_that_leave_nothing_out(auth: Auth) -> None:
    _, admin = await member(auth, "paging-admin", "admin")
    for number in range(4):
        await auth.new_token(admin, name=f"page-{number}", expires_in_days=number + 1)
    seen, page = [], ""
    while True:
        path = f"{INVENTORY}?owner=paging-admin&max_results=2{page}"
        answer = said(await auth.ask(admin, "GET", path))
        seen += [token["name"] for token in answer["tokens"]]
        if answer["next_page_token"] is None:
            break
        page = f"&page_token={answer['next_page_token']}"
    assert sorted(seen) == ["made", "page-0", "page-1", "page-2", "page-3"]
    soon = await auth.ask(admin, "GET", f"{INVENTORY}?owner=paging-admin&expires_within_days=2")
    assert {token["name"] for token in said(soon)["tokens"]} == {"made", "page-0", "page-1"}
