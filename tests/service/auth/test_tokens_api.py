"""A member's own tokens over HTTP: made, listed without secrets, ended."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from tests.service.auth.installation import Auth

TOKENS = "/api/maestro/v1/tokens"


async def listed(auth: Auth) -> dict[str, dict[str, Any]]:
    """The owner's tokens by id."""
    reply = await auth.ask(auth.first_token, "GET", TOKENS)
    assert reply.status == 200
    return {token["id"]: token for token in msgspec.json.decode(reply.body)["tokens"]}


async def test_a_new_token_works_and_its_secret_is_shown_once(auth: Auth) -> None:
    token_id, secret = await auth.new_token(auth.first_token, name="notebook")
    assert secret.startswith("mst_")
    assert len(secret) == 40
    assert (await auth.exchange(secret, "tracking")).status == 200
    shown = (await listed(auth))[token_id]
    assert (shown["name"], shown["scopes"], shown["revoked_at"]) == ("notebook", ["*"], None)
    reply = await auth.ask(auth.first_token, "GET", TOKENS)
    assert secret[4:] not in reply.body.decode()


def days_of(token: dict[str, Any]) -> int:
    """How long a token lives, in whole days."""
    made, ends = (datetime.fromisoformat(token[name]) for name in ("created_at", "expires_at"))
    return (ends - made).days


async def test_every_token_ends_at_the_latest_when_the_plan_says(auth: Auth) -> None:
    short, _ = await auth.new_token(auth.first_token, expires_in_days=7)
    usual, _ = await auth.new_token(auth.first_token)
    tokens = await listed(auth)
    assert (days_of(tokens[short]), days_of(tokens[usual])) == (7, 90)
    first = next(token for token in tokens.values() if token["name"] == "first")
    assert days_of(first) == 366
    reply = await auth.ask(
        auth.first_token, "POST", TOKENS, {"name": "long", "expires_in_days": 400}
    )
    assert reply.status == 400
    assert "expires_in_days: the plan" in msgspec.json.decode(reply.body)["detail"]


async def test_a_revoked_token_ends_at_once_and_ending_it_again_is_no_error(auth: Auth) -> None:
    token_id, secret = await auth.new_token(auth.first_token)
    for _ in range(2):
        reply = await auth.ask(auth.first_token, "DELETE", f"{TOKENS}/{token_id}")
        assert (reply.status, reply.body) == (204, b"")
    assert (await auth.exchange(secret, "tracking")).status == 400
    assert (await listed(auth))[token_id]["revoked_at"] is not None


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", TOKENS, {"name": ""}, 400),
        ("POST", TOKENS, {"name": " "}, 400),
        ("POST", TOKENS, {"name": "x" * 256}, 400),
        ("POST", TOKENS, {"name": "n\x00ul"}, 400),
        ("POST", TOKENS, {}, 400),
        ("POST", TOKENS, {"name": "x", "expires_in_days": 0}, 400),
        ("POST", TOKENS, {"name": "x", "expires_in_days": 10**30}, 400),
        ("POST", TOKENS, {"name": "x", "scopes": ["admin"]}, 400),
        ("POST", TOKENS, ["x"], 400),
        ("DELETE", f"{TOKENS}/{UUID(int=1)}", None, 404),
        ("DELETE", f"{TOKENS}/not-an-id", None, 400),
        ("PUT", TOKENS, {"name": "x"}, 404),
        ("GET", "/api/maestro/v1/nothing", None, 404),
    ],
)
async def test_bad_requests_get_problem_details(
    auth: Auth, method: str, path: str, body: object, status: int
) -> None:
    reply = await auth.ask(auth.first_token, method, path, body)
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    problem = msgspec.json.decode(reply.body)
    assert problem["status"] == status
    assert problem["detail"]


async def test_without_a_principal_for_auth_there_is_no_answer(auth: Auth) -> None:
    for principal in ("", "x.y.z", await auth.principal(auth.first_token, "tracking")):
        for method, path in (("GET", TOKENS), ("POST", TOKENS), ("DELETE", f"{TOKENS}/{uuid4()}")):
            reply = await auth.ask_as(principal, method, path, {"name": "x"})
            assert reply.status == 401, (principal, method)
