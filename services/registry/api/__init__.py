"""HTTP in: MLflow's operations on registered models, aliases and model versions; their owners."""

from libs.common.http.application import application
from libs.common.http.routes import Routes
from libs.common.http.types import ASGIApp
from libs.common.service import Running
from services.registry.api import aliases, files, models, owners, versions, workspaces


def routes() -> Routes:
    """All routes of the registry."""
    found = Routes()
    for part in (models, aliases, versions, files, workspaces):
        found.include(part.routes)
    return found


def api(running: Running) -> ASGIApp:
    """The ASGI app of the registry."""
    return application(running, routes(), routers=(owners.router,))
