"""The gateway's ASGI app: credential, principal, route, stream; no JSON on the way."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from libs.common.errors import Refusal, denied, invalid, unavailable
from libs.common.http.manners import Limits as SurfaceLimits
from libs.common.http.manners import Manners
from libs.common.http.types import ASGIApp, Receive, Scope, Send, header
from libs.common.prefork import Replica
from libs.common.service import Running
from libs.common.telemetry.gathering import gathered
from libs.common.telemetry.logs import log_tenant
from libs.common.telemetry.metrics import CONTENT_TYPE
from libs.common.workspaces import check_name
from services.gateway.addresses import Networks, client_address, inside, url_as_asked
from services.gateway.credentials import Presented, of_session, presented
from services.gateway.forwarding import forward
from services.gateway.limits.bodies import Recognised, within_plan
from services.gateway.limits.limits import Limits, Over
from services.gateway.limits.needs import Needs
from services.gateway.listeners import LastWord, Listeners
from services.gateway.open_requests import OpenRequest
from services.gateway.pages import sign_in
from services.gateway.pages.files import STATIC, Files, files_in
from services.gateway.pages.policy import APPLICATION
from services.gateway.pages.sign_in import SignIn
from services.gateway.principals import Principals
from services.gateway.readiness import readiness
from services.gateway.routes import LIVE, UPSTREAMS, Route, climbs, route_of, work_of
from services.gateway.sessions import insist_own_page, place_of, session_in
from services.gateway.settings import Settings

_WORKSPACE_HEADER: Final = b"x-mlflow-workspace"
_PROXY_HEADERS: Final = (b"forwarded", b"x-forwarded-for", b"x-real-ip")


@dataclass(frozen=True, slots=True)
class Gateway:
    """Answers a few paths itself and hands all others to their service."""

    principals: Principals
    limits: Limits
    peers: Mapping[str, ASGIApp]
    settings: Settings
    metrics_networks: Networks
    replica: Replica
    proxies: Networks
    files: Files
    sign_in: SignIn
    listeners: Listeners
    ending: asyncio.Event

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; refusals are raised and become answers in the manners around."""
        path: str = scope["path"]
        route = route_of(path)
        if route is None:
            answer = await self._own(path, scope, receive)
            await answer(scope, receive, send)
            return
        scope["route_name"] = route.kind
        if climbs(path):
            raise invalid("Invalid path")
        given = None if route.public else self._given(scope)
        passport = None if given is None else await self.principals.passport(given)
        if passport is not None:
            log_tenant(passport.tenant_no)
        work = work_of(route, scope["method"], path)
        needs = self.limits.needs(passport, work)
        body = within_plan(receive, scope["headers"], needs.plan)
        if work.of_a_running_run:
            body = Recognised(body, scope["headers"], f"{needs.subject} {path}")
        # Open from here on: what is revoked while it waits for its turn is not forwarded.
        with self.principals.open_requests.entered(passport) as request:
            await self._let_in(needs, body, scope)
            try:
                if given is not None and work is LIVE:
                    await self._listen(route, scope, body, send, request, given)
                else:
                    await self._forward(route, scope, body, send, request)
            finally:
                self.limits.leave(needs)

    async def _forward(
        self, route: Route, scope: Scope, body: Receive, send: Send, request: OpenRequest
    ) -> None:
        passport = request.passport
        await forward(
            route.upstream,
            self._upstream(route.upstream),
            scope,
            body,
            send,
            principal=None if passport is None else passport.principals[route.upstream],
            silence_seconds=self.settings.upstream_seconds,
            request=request,
            public_url=self._public_url(scope) if route.gives_urls else "",
        )

    async def _listen(
        self,
        route: Route,
        scope: Scope,
        body: Receive,
        send: Send,
        request: OpenRequest,
        given: Presented,
    ) -> None:
        scope["route_name"] = "live"
        out = LastWord(send)
        with self.listeners.entered(request, given):
            try:
                await self._forward(route, scope, body, out, request)
            except Refusal:
                if not out.begun or not self.ending.is_set():
                    raise
                await out.goodbye()

    async def _let_in(self, needs: Needs, body: Receive, scope: Scope) -> None:
        try:
            await self.limits.enter(needs, body if isinstance(body, Recognised) else None)
        except Over as over:
            scope["answer_headers"] += needs.headers(over.blocked)
            raise
        scope["answer_headers"] += needs.headers()

    def _public_url(self, scope: Scope) -> str:
        return self.settings.public_url.rstrip("/") or url_as_asked(scope, self.proxies)

    def _upstream(self, name: str) -> ASGIApp:
        # Looked up at each request: in one process the services start after one another.
        app = self.peers.get(name)
        if app is None:
            raise unavailable(f"The {name} service has not started; try again.")
        return app

    def _given(self, scope: Scope) -> Presented:
        given = self._presented(scope)
        workspace = header(scope["headers"], _WORKSPACE_HEADER)
        if workspace is not None and workspace.strip():
            name = workspace.strip().decode("latin-1")
            check_name(name)
            given = replace(given, workspace=name)
        return given

    def _presented(self, scope: Scope) -> Presented:
        headers = scope["headers"]
        found = client_address(scope.get("client"), headers, self.proxies)
        address = "" if found is None else str(found)
        if header(headers, b"authorization") is None:
            place = place_of(scope, self.proxies)
            session = session_in(headers, place)
            if session is not None:
                insist_own_page(scope, place)
                return of_session(session, address)
        return presented(headers, address)

    async def _own(self, path: str, scope: Scope, receive: Receive) -> Response:
        scope["route_name"] = path[1:] if path in ("/health", "/ready", "/metrics") else "unknown"
        if path == "/health":
            if scope["method"] not in ("GET", "HEAD"):
                raise Refusal("ENDPOINT_NOT_FOUND", "/health is only read.", status=405)
            return PlainTextResponse("OK")
        if path == "/ready":
            return await readiness(self.peers, UPSTREAMS)
        if path == "/metrics":
            if not self._may_read_metrics(scope):
                raise denied("/metrics is not for this address: see GATEWAY_METRICS_ALLOWED.")
            return Response(await gathered(self.replica), media_type=CONTENT_TYPE)
        if path in sign_in.PATHS:
            scope["route_name"] = "sign-in"
            return await self.sign_in.answer(Request(scope, receive))
        if scope["method"] in ("GET", "HEAD") and (path == "/" or path.startswith(STATIC)):
            scope["route_name"] = "pages"
            return await self._pages(path, scope)
        raise Refusal("ENDPOINT_NOT_FOUND", f"No such operation: {scope['method']} {path}")

    async def _pages(self, path: str, scope: Scope) -> Response:
        request = Request(scope)
        if path != "/":
            return await self.files.answer(request, path.removeprefix(STATIC))
        if self.files.found:
            try:
                await self.principals.passport(self._given(scope))
            except Refusal as refusal:
                if refusal.status != 401:
                    raise
                headers = {**APPLICATION, "cache-control": "no-store"}
                return RedirectResponse(sign_in.PAGE[1:], 303, headers=headers)
        return await self.files.index(request)

    def _may_read_metrics(self, scope: Scope) -> bool:
        # Behind a proxy on this machine everybody comes from loopback.
        if any(name in _PROXY_HEADERS for name, _ in scope["headers"]):
            return False
        return inside(client_address(scope.get("client"), (), ()), self.metrics_networks)


def api(running: Running) -> ASGIApp:
    """The gateway over the services it was given, which are apps in this process or remote."""
    settings: Settings = running.settings
    proxies = settings.proxies()
    gateway = Gateway(
        principals=running.state.principals,
        limits=running.state.limits,
        peers=running.peers,
        settings=settings,
        metrics_networks=settings.metrics_networks(),
        replica=running.replica,
        proxies=proxies,
        files=files_in(settings.ui_folder),
        sign_in=SignIn(
            principals=running.state.principals,
            limits=running.state.limits,
            peers=running.peers,
            proxies=proxies,
            secret=running.common.auth_client_secret,
        ),
        listeners=running.state.listeners,
        ending=running.ending,
    )
    limits = SurfaceLimits(
        hosts=_listed(running.shared.allowed_hosts), origins=_listed(running.shared.allowed_origins)
    )
    return Manners(gateway, service=running.name, tracing=running.tracing, limits=limits)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
