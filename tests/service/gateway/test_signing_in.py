"""Signing in on the web pages: what opens a session, which calls it counts for, and what ends it."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import pytest

from libs.common.http.calling import Reply, call
from libs.common.http.types import Receive, Scope, Send
from services.gateway.backoff import MOST_OF_LOGIN
from services.gateway.service import SERVICE
from tests.service.auth.installation import Auth
from tests.service.auth.people import TOKENS, as_owner
from tests.service.gateway.front import RUNS, Front, decoded, opened
from tests.service.gateway.passwords import MINE, slowing

HERE = "localhost:5000"
COOKIE = "maestro-session-5000"
OWN = ("origin", f"http://{HERE}")
FORM = ("content-type", "application/x-www-form-urlencoded")
SEARCH = "/ajax-api/2.0/mlflow/runs/search"
LINKS = "/api/maestro/v1/sign-in-links"
Headers = Sequence[tuple[str, str]]


async def browse(
    front: Front,
    method: str,
    path: str,
    *headers: tuple[str, str],
    form: dict[str, str] | None = None,
    host: str = HERE,
    client: str = "127.0.0.1",
) -> Reply:
    """A request as a browser sends it, to this machine unless it names another."""

    async def from_there(scope: Scope, receive: Receive, send: Send) -> None:
        await front.app({**scope, "client": (client, 1)}, receive, send)

    sent = [("host", host), *headers, *([FORM] if form is not None else [])]
    body = urlencode(form or {}).encode()
    return await call(from_there, method, path, headers=sent, body=body, timeout=30)


async def signed_in(front: Front, **form: str) -> str:
    """The session that signing in gives."""
    reply = await browse(front, "POST", "/sign-in", OWN, form=form)
    assert (reply.status, reply.headers.get("location")) == (303, "."), reply.body
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=mss_")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    return cookie.partition(";")[0].partition("=")[2]


def cookie(session: str, name: str = COOKIE) -> tuple[str, str]:
    """The header in which a browser shows a session."""
    return "cookie", f"theme=dark; {name}={session}"


async def test_a_token_signs_in_and_the_session_reads_and_writes(auth: Auth, front: Front) -> None:
    session = await signed_in(front, secret=auth.first_token)
    assert (await browse(front, "GET", RUNS, cookie(session))).status == 200
    caller = front.tracking.callers[-1]
    assert caller is not None
    assert (await browse(front, "POST", SEARCH, cookie(session), OWN)).status == 200
    assert front.tracking.callers[-1] == caller
    assert b"cookie" not in dict(front.tracking.asked[-1]["headers"])


async def test_a_login_signs_in_with_its_password(front: Front, alice: str) -> None:
    session = await signed_in(front, user=f"default/{alice}", secret=MINE)
    assert (await browse(front, "GET", RUNS, cookie(session))).status == 200


async def test_a_link_signs_in_once_and_only_when_it_is_sent(auth: Auth, front: Front) -> None:
    made = decoded(await front.ask(LINKS, token=auth.first_token, method="POST"))
    assert await browse(front, "GET", "/sign-in") is not None
    link = made["path"].rpartition("=")[2]
    session = await signed_in(front, link=link)
    assert (await browse(front, "GET", RUNS, cookie(session))).status == 200
    again = await browse(front, "POST", "/sign-in", OWN, form={"link": link})
    assert (again.status, "set-cookie" in again.headers) == (401, False)
    assert "used already" in decoded(again)["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("origin", "http://evil.example")],
        [("origin", "null")],
        [("origin", f"https://{HERE}")],
        [("origin", "http://localhost:5001")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
        [("sec-fetch-site", "none")],
        [OWN, ("origin", "http://evil.example")],
        [OWN, ("sec-fetch-site", "cross-site")],
    ],
)
async def test_a_session_changes_nothing_for_a_page_that_is_not_ours(
    auth: Auth, front: Front, headers: Headers
) -> None:
    session = await signed_in(front, secret=auth.first_token)
    asked = len(front.tracking.asked)
    for path in (SEARCH, "/api/2.0/mlflow/runs/create", "/graphql", "/sign-out"):
        reply = await browse(front, "POST", path, cookie(session), *headers, form={})
        assert reply.status == 403, path
    reply = await browse(front, "POST", "/sign-in", *headers, form={"secret": auth.first_token})
    assert (reply.status, "set-cookie" in reply.headers) == (403, False)
    assert len(front.tracking.asked) == asked
    assert (await browse(front, "GET", RUNS, cookie(session))).status == 200


async def test_a_page_of_somebody_else_may_open_ours_and_read_nothing(
    auth: Auth, front: Front
) -> None:
    session = await signed_in(front, secret=auth.first_token)
    foreign = ("sec-fetch-site", "cross-site")
    opening = (foreign, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"))
    assert (await browse(front, "GET", RUNS, cookie(session), *opening)).status == 200
    framed = (foreign, ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe"))
    for headers in ((foreign, ("sec-fetch-mode", "no-cors")), framed):
        assert (await browse(front, "GET", RUNS, cookie(session), *headers)).status == 403
    own = ("sec-fetch-site", "same-origin")
    assert (await browse(front, "POST", SEARCH, cookie(session), own)).status == 200


async def test_several_cookies_and_others_open_nothing(auth: Auth, front: Front) -> None:
    session = await signed_in(front, secret=auth.first_token)
    twice = ("cookie", f"{COOKIE}={session}; {COOKIE}={session}")
    tossed = [cookie(session), ("cookie", f"{COOKIE}=mss_{'0' * 36}")]
    for headers in ([twice], tossed):
        reply = await browse(front, "GET", RUNS, *headers)
        assert (reply.status, "Several" in decoded(reply)["message"]) == (401, True)
    for name in ("__Host-maestro-session", "maestro-session", "maestro-session-80"):
        assert (await browse(front, "GET", RUNS, cookie(session, name))).status == 401
    for value in (auth.first_token, "", session + "x", f"mss_{'0' * 36}"):
        assert (await browse(front, "GET", RUNS, cookie(value))).status == 401


async def test_a_session_counts_as_a_cookie_alone_and_after_a_header(
    auth: Auth, front: Front
) -> None:
    session = await signed_in(front, secret=auth.first_token)
    as_token = await front.ask(token=session)
    assert (as_token.status, "cookie alone" in decoded(as_token)["message"]) == (401, True)
    wrong = ("authorization", "Bearer mst_wrong")
    assert (await browse(front, "GET", RUNS, cookie(session), wrong)).status == 401
    right = ("authorization", f"Bearer {auth.first_token}")
    assert (await browse(front, "POST", SEARCH, cookie("mss_x"), right)).status == 200


async def test_signing_out_ends_the_session_at_once(auth: Auth, front: Front) -> None:
    session = await signed_in(front, secret=auth.first_token)
    assert (await browse(front, "GET", RUNS, cookie(session))).status == 200
    shown = await browse(front, "GET", "/sign-in", cookie(session))
    assert b'class="out"' in shown.body
    reply = await browse(front, "POST", "/sign-out", cookie(session), OWN, form={})
    assert (reply.status, reply.headers["location"]) == (303, "sign-in")
    assert f"{COOKIE}=;" in reply.headers["set-cookie"]
    assert "Max-Age=0" in reply.headers["set-cookie"]
    assert (await browse(front, "GET", RUNS, cookie(session))).status == 401
    again = await browse(front, "POST", "/sign-out", cookie(session), OWN, form={})
    assert again.status == 303


async def test_a_revoked_and_an_expired_session_are_refused(auth: Auth, front: Front) -> None:
    session = await signed_in(front, secret=auth.first_token)
    rows = decoded(await front.ask(TOKENS, token=auth.first_token))["tokens"]
    made = next(row["id"] for row in rows if row["kind"] == "session")
    await front.ask(f"{TOKENS}/{made}", token=auth.first_token, method="DELETE")
    assert (await browse(front, "GET", RUNS, cookie(session))).status == 401
    session = await signed_in(front, secret=auth.first_token)
    expire = "UPDATE tokens SET expires_at = now() WHERE kind = $1 RETURNING true"
    await as_owner(auth, 1, expire, "session")
    reply = await browse(front, "GET", RUNS, cookie(session))
    assert (reply.status, "expired" in decoded(reply)["message"]) == (401, True)


@pytest.mark.parametrize("forwarded", [[], [("x-forwarded-proto", "https")]])
async def test_plain_http_elsewhere_signs_nobody_in(auth: Auth, forwarded: Headers) -> None:
    async with opened(auth, hears=False, MAESTRO_ALLOWED_HOSTS="ml.example") as front:
        own = ("origin", "http://ml.example")
        form = {"secret": auth.first_token}
        told = await browse(
            front, "POST", "/sign-in", own, *forwarded, form=form, host="ml.example"
        )
        assert (told.status, "set-cookie" in told.headers) == (403, False)
        assert "https" in decoded(told)["detail"]
        page = ("accept", "text/html")
        shown = await browse(front, "GET", "/sign-in", page, host="ml.example")
        assert (shown.status, b"takes https" in shown.body) == (403, True)
        session = await signed_in(front, secret=auth.first_token)
        for name in (COOKIE, "maestro-session-80", "__Host-maestro-session"):
            found = await browse(front, "GET", RUNS, cookie(session, name), host="ml.example")
            assert found.status == 401


async def test_behind_a_proxy_that_speaks_tls_the_cookie_is_the_hosts_own(auth: Auth) -> None:
    own = {"MAESTRO_ALLOWED_HOSTS": "ml.example", "GATEWAY_TRUSTED_PROXIES": "203.0.113.0/24"}
    there: dict[str, Any] = {"host": "ml.example", "client": "203.0.113.9"}
    tls, origin = ("x-forwarded-proto", "https"), ("origin", "https://ml.example")
    async with opened(auth, SERVICE, hears=False, **own) as front:
        form = {"secret": auth.first_token}
        reply = await browse(front, "POST", "/sign-in", tls, origin, form=form, **there)
        assert reply.status == 303
        given = reply.headers["set-cookie"]
        assert given.startswith("__Host-maestro-session=mss_")
        assert given.endswith("; Secure")
        session = given.partition(";")[0].partition("=")[2]
        name = "__Host-maestro-session"
        assert (await browse(front, "GET", RUNS, tls, cookie(session, name), **there)).status == 200
        # What a page without TLS could have set is not looked at.
        assert (await browse(front, "GET", RUNS, tls, cookie(session), **there)).status == 401
        plain = await browse(front, "GET", RUNS, cookie(session, name), **there)
        assert plain.status == 401


async def test_guessing_is_slowed_and_says_so_on_the_page(auth: Auth, alice: str) -> None:
    form = {"user": f"default/{alice}", "secret": "a wrong one"}
    async with slowing(auth) as front:
        for number in range(MOST_OF_LOGIN):
            form["secret"] = f"wrong one {number}"
            reply = await browse(front, "POST", "/sign-in", OWN, form=form)
            assert (reply.status, "wrong" in decoded(reply)["detail"]) == (401, True)
        page, form["secret"] = ("accept", "text/html,*/*"), "one more"
        slowed = await browse(front, "POST", "/sign-in", OWN, page, form=form)
        assert (slowed.status, b'role="alert"' in slowed.body) == (429, True)
        assert int(slowed.headers["retry-after"]) > 0
        right = {"user": f"default/{alice}", "secret": MINE}
        assert (await browse(front, "POST", "/sign-in", OWN, form=right)).status == 429


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 401),
        ({"secret": "x"}, 401),
        ({"user": "a", "secret": ""}, 401),
        ({"link": "msl_x"}, 401),
        ({"secret": "x" * 9000}, 413),
    ],
)
async def test_what_opens_nothing_is_refused(
    front: Front, form: dict[str, str], status: int
) -> None:
    reply = await browse(front, "POST", "/sign-in", OWN, form=form)
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")


async def test_a_session_is_not_made_of_a_session(auth: Auth, front: Front) -> None:
    session = await signed_in(front, secret=auth.first_token)
    form = {"secret": session}
    assert (await browse(front, "POST", "/sign-in", OWN, form=form)).status == 401
    made = await browse(front, "POST", LINKS, cookie(session), OWN)
    assert (made.status, "outlive" in decoded(made)["detail"]) == (403, True)


async def test_what_is_typed_is_shown_as_text(front: Front) -> None:
    page = ("accept", "text/html")
    form = {"secret": "<script>alert(1)</script>"}
    reply = await browse(front, "POST", "/sign-in", OWN, page, form=form)
    assert b"<script>alert" not in reply.body
    assert "script-src 'self'" in reply.headers["content-security-policy"]
    assert "inline" not in reply.headers["content-security-policy"]
    assert reply.headers["cache-control"] == "no-store"


async def test_a_browser_is_not_asked_for_a_password_by_itself(front: Front) -> None:
    by_page = await browse(front, "GET", RUNS, ("sec-fetch-mode", "cors"))
    assert "Basic" not in by_page.headers["www-authenticate"]
    assert "Basic" in (await front.ask()).headers["www-authenticate"]
