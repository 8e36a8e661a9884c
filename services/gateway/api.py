"""The gateway's ASGI app: credential, principal, route, stream; no JSON on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from starlette.responses import PlainTextResponse, Response

from libs.common.errors import Refusal, denied, invalid, unavailable
from libs.common.http.manners import Limits as SurfaceLimits
from libs.common.http.manners import Manners
from libs.common.http.types import ASGIApp, Receive, Scope, Send
from libs.common.service import Running
from libs.common.telemetry import metrics
from libs.common.telemetry.logs import log_tenant
from libs.common.workspaces import check_name
from services.gateway.addresses import Networks, client_address, inside
from services.gateway.credentials import presented
from services.gateway.exchange import Passport
from services.gateway.forwarding import forward
from services.gateway.headers import header
from services.gateway.limits.bodies import Recognised, within_plan
from services.gateway.limits.limits import Limits, Over
from services.gateway.limits.needs import Needs
from services.gateway.principals import Principals
from services.gateway.readiness import readiness
from services.gateway.routes import UPSTREAMS, climbs, route_of, work_of
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
    proxies: Networks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; refusals are raised and become answers in the manners around."""
        path: str = scope["path"]
        route = route_of(path)
        if route is None:
            answer = await self._own(path, scope)
            await answer(scope, receive, send)
            return
        scope["route_name"] = route.kind
        if climbs(path):
            raise invalid("Invalid path")
        passport = None if route.public else await self._passport(scope)
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
                await forward(
                    route.upstream,
                    self._upstream(route.upstream),
                    scope,
                    body,
                    send,
                    principal=None if passport is None else passport.principals[route.upstream],
                    silence_seconds=self.settings.upstream_seconds,
                    request=request,
                )
            finally:
                self.limits.leave(needs)

    async def _let_in(self, needs: Needs, body: Receive, scope: Scope) -> None:
        try:
            await self.limits.enter(needs, body if isinstance(body, Recognised) else None)
        except Over as over:
            scope["answer_headers"] += needs.headers(over.blocked)
            raise
        scope["answer_headers"] += needs.headers()

    def _upstream(self, name: str) -> ASGIApp:
        # Looked up at each request: in one process the services start after one another.
        app = self.peers.get(name)
        if app is None:
            raise unavailable(f"The {name} service has not started; try again.")
        return app

    async def _passport(self, scope: Scope) -> Passport:
        headers = scope["headers"]
        address = client_address(scope.get("client"), headers, self.proxies)
        given = presented(headers, "" if address is None else str(address))
        workspace = header(headers, _WORKSPACE_HEADER)
        if workspace is not None and workspace.strip():
            name = workspace.strip().decode("latin-1")
            check_name(name)
            given = replace(given, workspace=name)
        return await self.principals.passport(given)

    async def _own(self, path: str, scope: Scope) -> Response:
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
            return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)
        raise Refusal("ENDPOINT_NOT_FOUND", f"No such operation: {scope['method']} {path}")

    def _may_read_metrics(self, scope: Scope) -> bool:
        # Behind a proxy on this machine everybody comes from loopback.
        if any(name in _PROXY_HEADERS for name, _ in scope["headers"]):
            return False
        return inside(client_address(scope.get("client"), (), ()), self.metrics_networks)


def api(running: Running) -> ASGIApp:
    """The gateway over the services it was given, which are apps in this process or remote."""
    settings: Settings = running.settings
    gateway = Gateway(
        principals=running.state.principals,
        limits=running.state.limits,
        peers=running.peers,
        settings=settings,
        metrics_networks=settings.metrics_networks(),
        proxies=settings.proxies(),
    )
    limits = SurfaceLimits(
        hosts=_listed(running.shared.allowed_hosts), origins=_listed(running.shared.allowed_origins)
    )
    return Manners(gateway, service=running.name, tracing=running.tracing, limits=limits)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
