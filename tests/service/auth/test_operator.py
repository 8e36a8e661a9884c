"""The platform's operator: a credential of no tenant, for tenants and for nothing else."""

import re
from uuid import UUID, uuid4

import jwt
import pytest
from fastapi.routing import APIRoute

from libs.common.http.own import OPERATE
from libs.common.http.routes import PUBLIC
from services.auth.api import (
    invitations,
    members,
    operators,
    service_accounts,
    tenants,
    tokens,
)
from services.auth.model.secrets import OPERATOR_PREFIX, digest, new_secret
from services.auth.store.tenants import add_operator
from tests.service.auth.installation import Auth
from tests.service.auth.tenancy import API, operate, refusal, said

# The same in every worker of a run, as tests are told apart by it.
NOBODY = "00000000-0000-4000-8000-000000000001"
ROUTES = [
    (method, re.sub(r"\{\w+\}", NOBODY, route.path), route.openapi_extra["x-permission"])
    for module in (tokens, members, invitations, service_accounts, tenants, operators)
    for route in module.router.routes
    if isinstance(route, APIRoute) and route.openapi_extra
    for method in sorted(route.methods or ())
]


async def test_its_token_speaks_for_no_tenant(auth: Auth) -> None:
    assert auth.operator_token.startswith("mso_")
    assert len(auth.operator_token) == 40
    answer = said(await auth.exchange(auth.operator_token, "auth", "tracking"))
    claims = jwt.decode(answer["principals"]["auth"], options={"verify_signature": False})
    kind, _, operator_id = claims["sub"].partition(":")
    assert (kind, UUID(operator_id).version) == ("operator", 4)
    assert (claims["tenant"], claims["tno"]) == (str(UUID(int=0)), 0)
    assert (answer["tenant_no"], answer["subject"]) == (0, claims["sub"])


@pytest.mark.parametrize(("method", "path", "permission"), ROUTES)
async def test_each_route_is_for_members_or_for_the_operator(
    auth: Auth, method: str, path: str, permission: str
) -> None:
    if permission == PUBLIC:
        return
    stranger = auth.first_token if permission == OPERATE else auth.operator_token
    said_why = refusal(await auth.ask(stranger, method, path, {}), 403)
    assert "operator" in said_why


async def test_no_member_is_told_whether_a_tenant_exists(auth: Auth) -> None:
    answers = [
        refusal(await auth.ask(auth.first_token, "GET", f"{API}/tenants/{name}"), 403)
        for name in ("default", "nobody-has-this")
    ]
    assert answers[0] == answers[1]


async def test_its_last_use_is_noted_and_a_made_up_token_is_refused(auth: Auth) -> None:
    said(await operate(auth, "GET", "/tenants"))
    used = await auth.running.database.fetchval(
        "SELECT last_used_at > now() - interval '2 minutes' FROM operators"
    )
    assert used
    for made_up in ("mso_" + auth.first_token[4:], "mst_" + auth.operator_token[4:]):
        reply = await auth.exchange(made_up, "auth")
        assert reply.status == 400
        assert said(reply, 400)["credential_refused"] is True


async def test_it_replaces_its_token_and_the_old_one_ends(auth: Auth) -> None:
    old = new_secret(OPERATOR_PREFIX)
    async with auth.running.database.transaction() as connection:
        await add_operator(connection, uuid4(), digest(old))
    before = said(await auth.exchange(old, "auth", "tracking"))
    path = f"{API}/operator/rotate"
    new = said(await auth.ask_as(before["principals"]["auth"], "POST", path, {}), 201)["token"]
    assert said(await auth.exchange(old, "auth"), 400)["credential_refused"]
    after = said(await auth.exchange(new, "auth", "tracking"))
    assert (after["subject"], after["actor"] != before["actor"]) == (before["subject"], True)
    numbered = await auth.running.database.fetchval(
        "SELECT count(*) FROM revocations WHERE kind = 'token' AND id = $1", before["actor"]
    )
    assert numbered == 1
    late = await auth.ask_as(before["principals"]["auth"], "POST", path, {})
    assert "was replaced" in refusal(late, 401)
    said(await auth.ask(new, "GET", f"{API}/tenants"))


async def test_a_service_gets_no_principal_for_it(auth: Auth) -> None:
    principal = await auth.principal(auth.operator_token, "tracking")
    reply = await auth.exchange(
        principal,
        "registry",
        kind="urn:ietf:params:oauth:token-type:jwt",
        client="tracking",
    )
    assert reply.status == 400
