"""HTTP in: the members' own tokens, the exchange of tokens, and the published keys."""

from libs.common.http.application import application
from libs.common.http.routes import Routes
from libs.common.http.types import ASGIApp
from libs.common.service import Running
from services.auth.api import access, exchange, revocations, tokens


def api(running: Running) -> ASGIApp:
    """The ASGI app of auth."""
    routes = Routes()
    for module in (exchange, access, revocations):
        routes.include(module.routes)
    return application(running, routes, routers=(tokens.router,))
