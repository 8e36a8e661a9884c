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
    graphql,
    ingest,
    live,
    logged_models,
    logging,
    metrics,
    owners,
    pages,
    presigned,
    retention,
    runs,
    server,
    workspaces,
)


def api(running: Running) -> ASGIApp:
    """The service's HTTP surface."""
    routes = Routes()
    of_mlflow = (server, experiments, runs, logging, metrics, logged_models, workspaces)
    files = (artifacts, artifact_uploads, presigned)
    for module in (*of_mlflow, *files, graphql, pages):
        routes.include(module.routes)
    own = (owners, forks, retention, garbage, ingest, live)
    return application(running, routes, [module.router for module in own])
