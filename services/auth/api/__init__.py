"""HTTP in: auth's own REST, workspaces, the exchange of tokens and the published keys."""

from libs.common.http.application import application
from libs.common.http.routes import Routes
from libs.common.http.types import ASGIApp
from libs.common.service import Running
from services.auth.api import (
    access,
    exchange,
    explain,
    grants,
    invitations,
    members,
    revocations,
    roles,
    service_accounts,
    tenants,
    tokens,
    users,
    workspaces,
)


def api(running: Running) -> ASGIApp:
    """The ASGI app of auth."""
    routes = Routes()
    for module in (exchange, access, revocations, users, workspaces):
        routes.include(module.routes)
    routes.include(users.replaced_routes)
    own = (tokens, members, invitations, service_accounts, tenants, roles, grants, explain)
    return application(running, routes, routers=[module.router for module in own])
