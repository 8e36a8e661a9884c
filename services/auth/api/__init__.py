"""HTTP in: auth's own REST, workspaces, the exchange of credentials and the published keys."""

from typing import Final

from libs.common.http.application import application
from libs.common.http.routes import Routes
from libs.common.http.types import ASGIApp
from libs.common.service import Running
from services.auth.api import (
    access,
    exchange,
    explain,
    grants,
    inventory,
    invitations,
    members,
    operators,
    passwords,
    revocations,
    roles,
    service_accounts,
    sessions,
    tenants,
    tokens,
    users,
    workspaces,
)

# The inventory before tokens, whose paths would take it for the id of one.
_OWN: Final = (
    inventory,
    tokens,
    sessions,
    passwords,
    members,
    invitations,
    service_accounts,
    tenants,
    operators,
    roles,
    grants,
    explain,
)


def api(running: Running) -> ASGIApp:
    """The ASGI app of auth."""
    routes = Routes()
    for module in (exchange, sessions, access, revocations, users, workspaces):
        routes.include(module.routes)
    routes.include(users.replaced_routes)
    return application(running, routes, routers=[module.router for module in _OWN])
