"""The token endpoint: a credential for principals, in the words of RFC 8693 and RFC 6749."""

import asyncio
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import jwt
import msgspec
import pytest

from libs.common.principal import LIFETIME_SECONDS, Verifier
from services.auth.model.secrets import new_secret
from services.auth.state import State
from tests.service.auth.installation import EXCHANGE, OPAQUE, PRINCIPAL, Auth


def said(body: bytes) -> dict[str, Any]:
    """A JSON answer."""
    found: dict[str, Any] = msgspec.json.decode(body)
    return found


async def verified(auth: Auth, token: str, audience: str) -> Any:
    """A principal as the service of that audience sees it."""
    state: State = auth.running.state
    return await Verifier(audience, state.keys.key_set).verify(token)


async def test_a_token_becomes_a_principal_of_its_owner(auth: Auth) -> None:
    reply = await auth.exchange(auth.first_token, "tracking")
    answer = said(reply.body)
    assert reply.status == 200
    assert reply.headers["cache-control"] == "no-store"
    assert answer.keys() == {"access_token", "issued_token_type", "token_type", "expires_in"}
    assert answer["token_type"] == "N_A"
    assert answer["issued_token_type"] == PRINCIPAL
    assert answer["expires_in"] == LIFETIME_SECONDS
    principal = await verified(auth, answer["access_token"], "tracking")
    assert principal.subject.startswith("user:")
    assert (principal.workspace_id, principal.scopes, principal.tenant_no) == (1, ("*",), 1)
    assert principal.expires_at <= time.time() + LIFETIME_SECONDS


async def test_several_audiences_get_a_principal_each_in_one_answer(auth: Auth) -> None:
    answer = said((await auth.exchange(auth.first_token, "auth", "tracking", "registry")).body)
    assert answer["principals"].keys() == {"auth", "tracking", "registry"}
    for audience, token in answer["principals"].items():
        principal = await verified(auth, token, audience)
        assert (principal.audience, principal.actor) == (audience, answer["actor"])


async def test_a_service_exchanges_its_callers_principal_for_another_service(auth: Auth) -> None:
    given = await auth.principal(auth.first_token, "registry")
    reply = await auth.exchange(given, "tracking", kind=PRINCIPAL, client="registry")
    onward = await verified(auth, said(reply.body)["access_token"], "tracking")
    first = await verified(auth, given, "registry")
    assert (onward.subject, onward.actor, onward.tenant) == (
        first.subject,
        first.actor,
        first.tenant,
    )


async def test_a_principal_of_another_service_is_not_exchanged(auth: Auth) -> None:
    stolen = await auth.principal(auth.first_token, "tracking")
    reply = await auth.exchange(stolen, "auth", kind=PRINCIPAL, client="registry")
    assert (reply.status, said(reply.body)["error"]) == (400, "invalid_request")


async def test_a_principal_keeps_no_token_alive_that_was_revoked(auth: Auth) -> None:
    token_id, secret = await auth.new_token(auth.first_token)
    given = await auth.principal(secret, "registry")
    await auth.ask(auth.first_token, "DELETE", f"/api/maestro/v1/tokens/{token_id}")
    reply = await auth.exchange(given, "tracking", kind=PRINCIPAL, client="registry")
    assert (reply.status, said(reply.body)["credential_refused"]) == (400, True)


async def test_only_the_gateway_exchanges_users_tokens(auth: Auth) -> None:
    reply = await auth.exchange(auth.first_token, "tracking", client="registry")
    assert (reply.status, said(reply.body)["error"]) == (400, "unauthorized_client")


@pytest.mark.parametrize(
    ("client", "secret"),
    [("gateway", "wrong"), ("gateway", ""), ("nobody", "x"), ("", ""), ("gateway", "\x00é")],
)
async def test_an_unknown_client_learns_nothing(auth: Auth, client: str, secret: str) -> None:
    reply = await auth.post_form([("grant_type", EXCHANGE)], client=client, secret=secret)
    assert (reply.status, said(reply.body)["error"]) == (401, "invalid_client")
    assert reply.headers["www-authenticate"].startswith("Basic ")


FORM = {
    "grant_type": EXCHANGE,
    "subject_token_type": OPAQUE,
    "subject_token": new_secret(),
    "audience": "tracking",
}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "unsupported_grant_type"),
        ({"subject_token_type": "urn:x"}, "invalid_request"),
        ({"subject_token": ""}, "invalid_request"),
        ({"requested_token_type": "urn:x"}, "invalid_request"),
        ({"audience": "gateway"}, "invalid_target"),
        ({"audience": "nobody"}, "invalid_target"),
        ({"audience": ""}, "invalid_target"),
    ],
)
async def test_malformed_requests_are_refused(
    auth: Auth, change: dict[str, str], error: str
) -> None:
    reply = await auth.post_form(list({**FORM, **change}.items()))
    assert (reply.status, said(reply.body)["error"]) == (400, error)
    assert "credential_refused" not in said(reply.body)


async def test_a_parameter_that_came_twice_is_refused(auth: Auth) -> None:
    reply = await auth.post_form([*FORM.items(), ("subject_token", auth.first_token)])
    assert (reply.status, said(reply.body)["error"]) == (400, "invalid_request")


async def test_unknown_mistyped_and_revoked_tokens_are_told_apart_for_their_holder(
    auth: Auth,
) -> None:
    token_id, revoked = await auth.new_token(auth.first_token)
    await auth.ask(auth.first_token, "DELETE", f"/api/maestro/v1/tokens/{token_id}")
    reasons = {}
    for name, token in (
        ("unknown", new_secret()),
        ("mistyped", auth.first_token[:-1] + ("a" if auth.first_token[-1] != "a" else "b")),
        ("revoked", revoked),
        ("nonsense", "é\x00' OR 1=1 --"),
    ):
        reply = await auth.exchange(token, "tracking")
        answer = said(reply.body)
        assert (reply.status, answer["error"]) == (400, "invalid_request"), name
        assert answer["credential_refused"] is True
        reasons[name] = answer["error_description"]
    assert "no such token" in reasons["unknown"]
    assert "checksum" in reasons["mistyped"]
    assert reasons["nonsense"] == reasons["mistyped"]
    assert "revoked" in reasons["revoked"]


async def as_owner(auth: Auth, statement: str, *args: object) -> None:
    """Change what no request can, as the owner of the tables."""
    connection = await asyncpg.connect(auth.environment["MAESTRO_POSTGRES_URL"])
    try:
        await connection.execute("SET ROLE auth_owner; SET app.tenant = '1'")
        await connection.execute(statement, *args)
    finally:
        await connection.close()


async def test_an_expired_token_is_refused_and_a_dying_one_lives_no_longer_than_it_may(
    auth: Auth,
) -> None:
    token_id, secret = await auth.new_token(auth.first_token, expires_in_days=1)
    assert said((await auth.exchange(secret, "tracking")).body)["expires_in"] == 60
    change = "UPDATE auth.tokens SET expires_at = now() + $2::interval WHERE token_id = $1::uuid"
    await as_owner(auth, change, token_id, timedelta(seconds=20))
    answer = said((await auth.exchange(secret, "tracking")).body)
    assert 15 <= answer["expires_in"] <= 20
    await as_owner(auth, change, token_id, timedelta(seconds=-1))
    answer = said((await auth.exchange(secret, "tracking")).body)
    assert "expired" in answer["error_description"]


@pytest.mark.parametrize("table", ["tenants", "users", "memberships"])
async def test_a_suspended_account_gets_no_principal(auth: Auth, table: str) -> None:
    await as_owner(auth, f"UPDATE auth.{table} SET status = 'suspended'")
    try:
        answer = said((await auth.exchange(auth.first_token, "tracking")).body)
        assert "suspended" in answer["error_description"]
    finally:
        await as_owner(auth, f"UPDATE auth.{table} SET status = 'active'")
    assert (await auth.exchange(auth.first_token, "tracking")).status == 200


async def test_the_last_use_is_noted_at_most_once_a_minute(auth: Auth) -> None:
    token_id, secret = await auth.new_token(auth.first_token)

    async def last_use() -> Any:
        reply = await auth.ask(auth.first_token, "GET", "/api/maestro/v1/tokens")
        tokens = said(reply.body)["tokens"]
        return next(token["last_used_at"] for token in tokens if token["id"] == token_id)

    assert await last_use() is None
    await asyncio.gather(*(auth.exchange(secret, "tracking") for _ in range(10)))
    noted = await last_use()
    assert noted is not None
    await auth.exchange(secret, "tracking")
    assert await last_use() == noted
    await as_owner(
        auth,
        "UPDATE auth.tokens SET last_used_at = now() - interval '2 minutes' WHERE token_id = $1",
        token_id,
    )
    await auth.exchange(secret, "tracking")
    assert await last_use() > noted


async def test_a_principal_names_a_token_of_its_tenant_only(auth: Auth) -> None:
    """Even signed with our key, an actor that is not there is not exchanged."""
    state: State = auth.running.state
    key = await state.keys.signing()
    claims = jwt.decode(
        await auth.principal(auth.first_token, "registry"), options={"verify_signature": False}
    )
    for change in ({"act": str(uuid4())}, {"tno": 2}, {"sub": f"user:{uuid4()}"}):
        forged = jwt.encode(
            {**claims, **change}, key.private, algorithm="EdDSA", headers={"kid": key.kid}
        )
        reply = await auth.exchange(forged, "tracking", kind=PRINCIPAL, client="registry")
        assert (reply.status, said(reply.body).get("credential_refused")) == (400, True), change
