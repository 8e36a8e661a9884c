"""HTTP in: tracking's routes, put together."""

from libs.common.http.application import application
from libs.common.http.routes import Routes
from libs.common.http.types import ASGIApp
from libs.common.service import Running
from services.tracking.api import (
    artifact_uploads,
    artifacts,
    experiments,
    forks,
    garbage,
    logged_models,
    logging,
    metrics,
    owners,
    presigned,
    retention,
    runs,
    server,
    workspaces,
)


def api(running: Running) -> ASGIApp:
    """The service's HTTP surface."""
    routes = Routes()
    modules = (server, experiments, runs, logging, metrics, logged_models, workspaces)
    for module in (*modules, artifacts, artifact_uploads, presigned):
        routes.include(module.routes)
    routers = [owners.router, forks.router, retention.router, garbage.router]
    return application(running, routes, routers)
