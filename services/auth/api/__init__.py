"""HTTP in: tokens and passwords, the exchange of credentials, and the published keys."""

from libs.common.http.application import application
from libs.common.http.routes import Routes
from libs.common.http.types import ASGIApp
from libs.common.service import Running
from services.auth.api import access, exchange, inventory, passwords, tokens


def api(running: Running) -> ASGIApp:
    """The ASGI app of auth."""
    routes = Routes()
    for module in (exchange, access):
        routes.include(module.routes)
    return application(running, routes, routers=(inventory.router, tokens.router, passwords.router))
