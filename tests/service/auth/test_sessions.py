"""Sessions of the web pages and links that begin them: what they may do, and what ends them."""

from typing import Any

import msgspec
import pytest

from libs.common.access.asking import shown_secret
from libs.common.http.calling import Reply, call
from services.auth.model.secrets import new_secret
from services.auth.settings import Settings
from tests.service.auth.installation import Auth
from tests.service.auth.people import PASSWORD, TOKENS, as_owner, member, set_password

LINKS = "/api/maestro/v1/sign-in-links"
MINE = "a password that is mine"
NEXT = "the next one, of two words"


def told(body: bytes) -> Any:
    """A JSON answer."""
    return msgspec.json.decode(body)


async def signed_in(auth: Auth, token: str) -> str:
    """The session of somebody who has shown a token."""
    reply = await auth.ask(token, "POST", "/internal/sessions")
    assert reply.status == 200, reply.body
    found = told(reply.body)
    assert 0 < found["expires_in"] <= 12 * 3600
    return str(found["session"])


async def new_link(auth: Auth, token: str) -> str:
    """The secret of a link that somebody made."""
    reply = await auth.ask(token, "POST", LINKS, {})
    assert reply.status == 201, reply.body
    path = str(told(reply.body)["path"])
    assert path.startswith("/sign-in#link=msl_")
    return path.rpartition("=")[2]


async def refusal(auth: Auth, secret: str) -> str:
    """Why a secret is not exchanged; '' where it is."""
    reply = await auth.exchange(secret, "tracking")
    return "" if reply.status == 200 else str(told(reply.body)["error_description"])


async def test_a_session_is_listed_may_do_what_its_maker_may_and_is_signed_out(auth: Auth) -> None:
    _, token = await member(auth, "sara@example.org")
    session = await signed_in(auth, token)
    assert session.startswith("mss_")
    rows = told((await auth.ask(session, "GET", TOKENS)).body)["tokens"]
    maker, made = (
        next(row for row in rows if row["kind"] == kind) for kind in ("token", "session")
    )
    assert made["issued_by"] == maker["id"]
    assert made["scopes"] == maker["scopes"]
    inventory = told(
        (await auth.ask(auth.first_token, "GET", f"{TOKENS}/inventory?max_results=1000")).body
    )
    assert made["id"] in [row["id"] for row in inventory["tokens"] if row["kind"] == "session"]
    assert (await auth.ask(session, "POST", "/internal/sessions/end")).status == 200
    assert await refusal(auth, session) == "the token was revoked"
    assert await refusal(auth, token) == ""


async def test_a_session_ends_with_the_token_that_made_it(auth: Auth) -> None:
    token_id, token = await auth.new_token(auth.first_token)
    session = await signed_in(auth, token)
    link = await new_link(auth, token)
    by_link = told((await use(auth, link)).body)["session"]
    await auth.ask(auth.first_token, "DELETE", f"{TOKENS}/{token_id}")
    assert await refusal(auth, session) == "the token was revoked"
    assert await refusal(auth, by_link) == "the token was revoked"


async def test_a_session_lasts_no_longer_than_its_maker_and_expires(auth: Auth) -> None:
    _, token = await member(auth, "eve@example.org")
    session = await signed_in(auth, token)
    late = (
        "SELECT max(expires_at) < now() + interval '12 hours 1 minute' FROM tokens WHERE kind = $1"
    )
    assert await as_owner(auth, 1, late, "session")
    expire = "UPDATE tokens SET expires_at = now() WHERE kind = $1 RETURNING true"
    await as_owner(auth, 1, expire, "session")
    assert await refusal(auth, session) == "the token has expired"


async def test_a_session_begun_with_a_password_ends_with_it(auth: Auth) -> None:
    _, token = await member(auth, "pia@example.org")
    await set_password(auth, token, MINE)
    session = await session_of_password(auth, "pia@example.org", MINE)
    kept = await signed_in(auth, token)
    assert await refusal(auth, session) == ""
    changed = await auth.ask(session, "PUT", PASSWORD, {"old": MINE, "new": NEXT})
    assert changed.status == 204, changed.body
    assert await refusal(auth, session) in ("the token was revoked", "the password was changed")
    assert await refusal(auth, kept) == ""


async def test_a_changed_password_is_enough_where_nobody_ended_the_session(auth: Auth) -> None:
    _, token = await member(auth, "ida@example.org")
    await set_password(auth, token, MINE)
    session = await session_of_password(auth, "ida@example.org", MINE)
    statement = (
        "UPDATE users SET password_version = password_version + 1 WHERE login = $1 RETURNING true"
    )
    await as_owner(auth, 1, statement, "ida@example.org")
    assert await refusal(auth, session) == "the password was changed"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", TOKENS, {"name": "kept"}),
        ("POST", LINKS, {}),
        ("PUT", PASSWORD, {"new": MINE}),
        ("POST", "/api/maestro/v1/invitations", {"login": "mallory@example.org", "role": "admin"}),
    ],
)
async def test_a_session_makes_nothing_that_outlives_it(
    auth: Auth, method: str, path: str, body: dict[str, str]
) -> None:
    _, token = await member(auth, f"max-{new_secret()[4:12].lower()}@example.org")
    session = await signed_in(auth, token)
    reply = await auth.ask(session, method, path, body)
    assert reply.status == 403
    assert "outlive" in told(reply.body)["detail"]


async def test_a_link_signs_in_once_and_is_no_token(auth: Auth) -> None:
    link = await new_link(auth, auth.first_token)
    assert "open the link" in await refusal(auth, link)
    first, second = await use(auth, link), await use(auth, link)
    assert (first.status, second.status) == (200, 401)
    assert "used already" in told(second.body)["detail"]
    assert await refusal(auth, told(first.body)["session"]) == ""


async def test_a_link_expires_is_revoked_and_is_not_guessed(auth: Auth) -> None:
    link = await new_link(auth, auth.first_token)
    await as_owner(
        auth, 1, "UPDATE tokens SET expires_at = now() WHERE kind = $1 RETURNING true", "link"
    )
    assert (await use(auth, link)).status == 401
    made = told((await auth.ask(auth.first_token, "POST", LINKS, {})).body)
    await auth.ask(auth.first_token, "DELETE", f"{TOKENS}/{made['id']}")
    assert (await use(auth, made["path"].rpartition("=")[2])).status == 401
    for guess in (new_secret("msl_"), "msl_x", "", auth.first_token):
        assert (await use(auth, guess)).status == 401


async def test_only_the_gateway_uses_links(auth: Auth) -> None:
    link = await new_link(auth, auth.first_token)
    assert (await use(auth, link, client="tracking")).status == 401
    assert (await use(auth, link)).status == 200


async def use(auth: Auth, link: str, client: str = "gateway") -> Reply:
    """What a service is answered that was shown a link, and shows its own secret."""
    settings: Settings = auth.running.settings
    shown = shown_secret(client, settings.clients()[client])
    return await call(
        auth.app,
        "POST",
        "/internal/sessions/of-link",
        headers=[("authorization", shown), ("content-type", "application/json")],
        body=msgspec.json.encode({"link": link, "address": "192.0.2.9"}),
    )


async def session_of_password(auth: Auth, login: str, password: str) -> str:
    """The session of somebody who signed in with a password."""
    principals = told((await auth.sign_in(login, password)).body)["principals"]
    reply = await auth.ask_as(principals["auth"], "POST", "/internal/sessions")
    return str(told(reply.body)["session"])
