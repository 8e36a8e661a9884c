"""The page to sign in on: a token, a login with its password, or a link is exchanged for a session."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import parse_qs

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from libs.common.access.asking import shown_secret
from libs.common.errors import Refusal, denied, invalid, unavailable
from libs.common.http.application import read_body
from libs.common.http.calling import Reply, call
from libs.common.http.manners import refused
from libs.common.http.types import ASGIApp
from libs.common.principal import PRINCIPAL_HEADER
from services.gateway.addresses import Networks, client_address
from services.gateway.credentials import of_session, typed_in
from services.gateway.exchange import Passport
from services.gateway.limits.limits import Limits
from services.gateway.pages.policy import SIGN_IN
from services.gateway.principals import Principals
from services.gateway.routes import WRITE
from services.gateway.sessions import (
    NEEDS_HTTPS,
    Place,
    insist_own_page,
    place_of,
    session_in,
)

PAGE: Final = "/sign-in"
OUT: Final = "/sign-out"
_HERE: Final = Path(__file__).parent
_ASSETS: Final = {
    f"{PAGE}/page.js": ("page.js", "text/javascript"),
    f"{PAGE}/style.css": ("style.css", "text/css"),
}
PATHS: Final = frozenset({PAGE, OUT, *_ASSETS})
_LONGEST_FORM: Final = 8 * 1024
_SECONDS: Final = 5.0
_FORM: Final = "application/x-www-form-urlencoded"
_TEMPLATE: Final = "sign-in.html"


class _Session(msgspec.Struct, frozen=True):
    session: str
    expires_in: int


class _Refused(msgspec.Struct, frozen=True):
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SignIn:
    """Signs people in and out; `secret` is what the gateway shows to auth."""

    principals: Principals
    limits: Limits
    peers: Mapping[str, ASGIApp]
    proxies: Networks
    secret: str

    async def answer(self, request: Request) -> Response:
        """Any of `PATHS`; what is refused is told on the page, or as a problem to programs."""
        path, method = request.url.path, request.method
        if path in _ASSETS and method in ("GET", "HEAD"):
            name, kind = _ASSETS[path]
            return Response((_HERE / name).read_bytes(), media_type=kind, headers=dict(SIGN_IN))
        place = place_of(request.scope, self.proxies)
        try:
            if method == "POST":
                return await (self._in if path == PAGE else self._out)(request, place)
            if path == PAGE and method in ("GET", "HEAD"):
                return await self._page(request, place)
            raise Refusal("ENDPOINT_NOT_FOUND", f"No such operation: {method} {path}")
        except Refusal as refusal:
            return _told(request, refusal)

    async def _page(self, request: Request, place: Place) -> Response:
        if not place.cookie:
            raise denied(NEEDS_HTTPS)
        try:
            passport = await self.passport(request, place)
        except Refusal:
            passport = None
        return _page("out" if passport else "in")

    async def passport(self, request: Request, place: Place) -> Passport | None:
        """The passport of the session that a browser holds, None where it holds none."""
        session = session_in(request.scope["headers"], place)
        if session is None:
            return None
        insist_own_page(request.scope, place)
        return await self.principals.passport(of_session(session, self._address(request)))

    async def _in(self, request: Request, place: Place) -> Response:
        if not place.cookie:
            raise denied(NEEDS_HTTPS)
        insist_own_page(request.scope, place)
        form = await _form(request)
        if link := form.get("link"):
            session = await self._of_link(link, self._address(request))
        else:
            given = typed_in(
                form.get("user", "").strip(), form.get("secret", ""), self._address(request)
            )
            session = await self._begun(await self.principals.passport(given))
        return _sent(".", place.kept(session.session, session.expires_in))

    async def _begun(self, passport: Passport) -> _Session:
        needs = self.limits.needs(passport, WRITE)
        await self.limits.enter(needs, None)
        try:
            reply = await self._ask("/internal/sessions", _principal(passport))
        finally:
            self.limits.leave(needs)
        return _session(reply)

    async def _of_link(self, link: str, address: str) -> _Session:
        self.principals.strangers.check(address)
        body = msgspec.json.encode({"link": link, "address": address})
        shown = [("authorization", shown_secret("gateway", self.secret))]
        reply = await self._ask("/internal/sessions/of-link", shown, body)
        if reply.status == 401:
            self.principals.strangers.failed(address)
        return _session(reply)

    async def _out(self, request: Request, place: Place) -> Response:
        insist_own_page(request.scope, place)
        try:
            passport = await self.passport(request, place)
        except Refusal as refusal:
            if refusal.status != 401:
                raise
            passport = None
        if passport is not None:
            reply = await self._ask("/internal/sessions/end", _principal(passport))
            if reply.status != 200:
                raise unavailable("You cannot be signed out now; try again.")
            self.principals.revocations.token_revoked(passport.actor)
        return _sent(PAGE[1:], place.kept("", 0))

    async def _ask(self, path: str, headers: list[tuple[str, str]], body: bytes = b"{}") -> Reply:
        if "auth" not in self.peers:
            raise unavailable("Nobody can be signed in now; try again.")
        sent = [*headers, ("content-type", "application/json")]
        return await call(
            self.peers["auth"], "POST", path, headers=sent, body=body, timeout=_SECONDS
        )

    def _address(self, request: Request) -> str:
        scope = request.scope
        found = client_address(scope.get("client"), scope["headers"], self.proxies)
        return "" if found is None else str(found)


async def _form(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise invalid(f"Send {_FORM}.")
    raw = await read_body(request, _LONGEST_FORM)
    try:
        found = parse_qs(raw.decode("ascii"), errors="strict", max_num_fields=8)
    except ValueError:
        raise invalid("The form cannot be read.") from None
    if any(len(values) > 1 for values in found.values()):
        raise invalid("Send each field once.")
    return {name: values[0] for name, values in found.items()}


def _principal(passport: Passport) -> list[tuple[str, str]]:
    return [(PRINCIPAL_HEADER, passport.principals["auth"].decode())]


def _session(reply: Reply) -> _Session:
    if reply.status == 200:
        return msgspec.json.decode(reply.body, type=_Session)
    if reply.status in (401, 403):
        try:
            said = msgspec.json.decode(reply.body, type=_Refused).detail
        except msgspec.MsgspecError:
            said = ""
        code = "UNAUTHENTICATED" if reply.status == 401 else "PERMISSION_DENIED"
        raise Refusal(code, said or "You cannot sign in with this.")
    raise unavailable("Nobody can be signed in now; try again.")


def _sent(where: str, cookie: str) -> Response:
    """On to another page with the cookie; relative, so that a path before ours is kept."""
    answer = RedirectResponse(where, 303, headers=dict(SIGN_IN))
    answer.headers["set-cookie"] = cookie
    return answer


def _told(request: Request, refusal: Refusal) -> Response:
    if "text/html" not in request.headers.get("accept", ""):
        raw, body = refused(refusal, own=True)
        headers = {name.decode(): value.decode() for name, value in raw}
        return Response(body, refusal.status, headers={**headers, **SIGN_IN})
    return _page("told" if refusal.message == NEEDS_HTTPS else "in", refusal)


def _page(kind: str, refusal: Refusal | None = None) -> Response:
    template = Template((_HERE / _TEMPLATE).read_text(encoding="utf-8"))
    said = "" if refusal is None else html.escape(refusal.message)
    text = template.substitute(kind=kind, said=said)
    status = 200 if refusal is None else refusal.status
    headers = dict(SIGN_IN)
    if refusal is not None and refusal.retry_after is not None:
        headers["retry-after"] = str(refusal.retry_after)
    return Response(text, status, headers=headers, media_type="text/html")
