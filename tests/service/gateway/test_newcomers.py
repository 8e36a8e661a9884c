"""From an operator's token to a member's first request, through the front door."""

import msgspec

from libs.common.http.calling import Reply
from tests.service.auth.tenancy import API, PASSWORD, token_for
from tests.service.gateway.front import Front

JSON = ("content-type", "application/json")


async def post(front: Front, path: str, body: object, token: str | None = None) -> Reply:
    """A POST of JSON under our own API."""
    encoded = msgspec.json.encode(body)
    return await front.ask(f"{API}{path}", token=token, method="POST", headers=[JSON], body=encoded)


async def test_a_tenant_its_owner_and_the_owners_first_request(front: Front) -> None:
    asked = {"name": "through-the-door", "owner": "first@example.org"}
    made = await post(front, "/tenants", asked, front.auth.operator_token)
    assert made.status == 201, made.body
    answer = msgspec.json.decode(made.body)
    shown = {"code": answer["owner"]["code"], "password": PASSWORD}
    # Without any credential: whoever was invited has none yet.
    accepted = await post(front, "/invitations/accept", shown)
    assert accepted.status == 200, accepted.body
    joined = msgspec.json.decode(accepted.body)
    assert (joined["tenant"], joined["role"]) == ("through-the-door", "owner")
    tenant = answer["tenant"]
    token = await token_for(front.auth, tenant["id"], tenant["tenant_no"], joined["subject"])
    reply = await front.ask(token=token)
    assert msgspec.json.decode(reply.body)["subject"] == joined["subject"]
    caller = front.tracking.callers[-1]
    assert caller is not None
    assert (caller.tenant, caller.tenant_no) == (tenant["id"], tenant["tenant_no"])


async def test_everything_else_about_members_asks_for_a_credential(front: Front) -> None:
    for path in ("/tenants", "/members", "/invitations", "/invitations/join", "/service-accounts"):
        assert (await post(front, path, {})).status == 401, path
    climbing = await post(front, "/invitations/accept/../join", {"code": "x"})
    assert climbing.status in (400, 401)


async def test_an_acceptance_takes_no_principal_from_outside(front: Front) -> None:
    forged = await front.auth.principal(front.auth.first_token)
    reply = await front.ask(
        f"{API}/members", headers=[("x-maestro-principal", forged)], method="GET"
    )
    assert reply.status == 401
