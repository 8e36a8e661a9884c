"""HTTP in: the members' own tokens, the exchange of tokens, and the published keys."""

from libs.common.http.application import application
from libs.common.http.types import ASGIApp
from libs.common.service import Running
from services.auth.api import exchange, tokens


def api(running: Running) -> ASGIApp:
    """The ASGI app of auth."""
    return application(running, exchange.routes, routers=(tokens.router,))
