"""HTTP in: tenants, members and their tokens, the exchange of tokens, and the published keys."""

from libs.common.http.application import application
from libs.common.http.routes import Routes
from libs.common.http.types import ASGIApp
from libs.common.service import Running
from services.auth.api import (
    access,
    exchange,
    invitations,
    members,
    service_accounts,
    tenants,
    tokens,
)


def api(running: Running) -> ASGIApp:
    """The ASGI app of auth."""
    routes = Routes()
    for module in (exchange, access):
        routes.include(module.routes)
    own = (tokens, members, invitations, service_accounts, tenants)
    return application(running, routes, routers=[module.router for module in own])
