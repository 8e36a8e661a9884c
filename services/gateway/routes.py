"""Which service answers which path: the gateway's whole routing table.

A path is known by its first four parts (`/api/2.0/mlflow/runs`), whatever follows; the services
know the rest. Anything that is not here is answered with 404.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple

_DEPTH: Final = 4

RouteClass = Literal["read", "write", "search", "artifact", "live"]


class Work(NamedTuple):
    """What a request is to the limits: its route class, and whether a running run waits for it."""

    kind: RouteClass
    of_a_running_run: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """Where a path goes: `upstream` is a service's name, `kind` the label in metrics.

    A public route is answered without a credential. One that `gives_urls` is told where clients
    reach the gateway.
    """

    upstream: str
    kind: str
    public: bool = False
    gives_urls: bool = False


_TRACKING: Final = ("experiments", "runs", "metrics", "logged-models", "artifacts")
_REGISTRY: Final = ("registered-models", "model-versions")
_AUTH: Final = (
    "tokens",
    "sign-in-links",
    "password",
    "tenants",
    "operator",
    "members",
    "invitations",
    "service-accounts",
)
_PREFIXES: Final = ("/api", "/ajax-api")

_BOTH_PREFIXES: Final[Mapping[str, Route]] = {
    **{f"/2.0/mlflow/{kind}": Route("tracking", kind) for kind in _TRACKING},
    **{f"/2.0/mlflow/{kind}": Route("registry", kind) for kind in _REGISTRY},
    "/2.0/mlflow/upload-artifact": Route("tracking", "artifacts"),
    "/2.0/mlflow-artifacts/artifacts": Route("tracking", "artifact-bytes"),
    "/2.0/mlflow-artifacts/mpu": Route("tracking", "artifact-uploads", gives_urls=True),
    "/2.0/mlflow-artifacts/presigned": Route("tracking", "artifacts"),
    **{
        path: Route("tracking", "pages")
        for path in (
            *("/2.0/mlflow/gateway-proxy", "/3.0/mlflow/assistant", "/3.0/mlflow/ui-telemetry"),
            *("/3.0/mlflow/traces", "/3.0/mlflow/datasets"),
        )
    },
    "/2.0/mlflow/users": Route("auth", "users"),
    "/3.0/mlflow/users": Route("auth", "users"),
    "/3.0/mlflow/roles": Route("auth", "users"),
    "/3.0/mlflow/workspaces": Route("auth", "workspaces"),
    "/3.0/mlflow/server-info": Route("tracking", "server-info", public=True),
}

ROUTES: Final[Mapping[str, Route]] = {
    **{
        f"{prefix}{path}": replace(route)
        for prefix in _PREFIXES
        for path, route in _BOTH_PREFIXES.items()
    },
    # A part of an upload brings its own capability.
    "/api/2.0/mlflow-artifacts/mpu-part": Route("tracking", "artifact-bytes", public=True),
    "/api/maestro/v1/models": Route("registry", "model-owners"),
    **{
        f"/api/maestro/v1/{kind}": Route("auth", "access")
        for kind in ("permissions", "roles", "grants", "access")
    },
    **{f"/api/maestro/v1/{kind}": Route("auth", kind) for kind in _AUTH},
    "/api/maestro/v1/experiments": Route("tracking", "experiments"),
    "/api/maestro/v1/runs": Route("tracking", "runs"),
    "/api/maestro/v1/garbage": Route("tracking", "garbage"),
    "/api/maestro/v1/ingest": Route("tracking", "runs"),
}

# Paths that are answered only as they stand, without anything behind them.
EXACT: Final[Mapping[str, Route]] = {
    "/version": Route("tracking", "version", public=True),
    # Whoever was invited may not have any credential yet.
    "/api/maestro/v1/invitations/accept": Route("auth", "invitations", public=True),
    "/get-artifact": Route("tracking", "artifact-bytes"),
    # Read by MLflow's web pages, and by nothing else.
    "/graphql": Route("tracking", "graphql"),
    "/model-versions/get-artifact": Route("registry", "artifact-bytes"),
}

UPSTREAMS: Final = ("auth", "tracking", "registry")


def route_of(path: str) -> Route | None:
    """The route of a decoded path, None where nobody answers."""
    exact = EXACT.get(path)
    if exact is not None:
        return exact
    parts = path.split("/", _DEPTH + 1)
    route = ROUTES.get("/".join(parts[: _DEPTH + 1]))
    if route is not None and route.public and len(parts) > _DEPTH + 1:
        return None
    return route


READ: Final = Work("read")
WRITE: Final = Work("write")
SEARCH: Final = Work("search")
ARTIFACT: Final = Work("artifact")
LIVE: Final = Work("live")
RUNNING: Final = Work("write", of_a_running_run=True)
_SEARCHES: Final = frozenset(
    {
        *("search", "search-datasets"),
        *("get-history", "get-history-bulk", "get-history-bulk-interval"),
    }
)
_READS_BY_POST: Final = frozenset(
    {"get-latest-versions", "graphql", "metrics", "gateway-proxy", "ui-telemetry"}
)
_LISTENED_TO: Final = frozenset({"runs", "experiments"})
# What a training does while it runs: these are delayed before they are refused.
_OF_A_RUNNING_RUN: Final = frozenset(
    {
        *("log-metric", "log-batch", "log-parameter", "log-model", "log-inputs", "outputs"),
        *("set-tag", "delete-tag", "update"),
    }
)


def work_of(route: Route, method: str, path: str) -> Work:
    """What a request is to the limits."""
    if route.kind == "artifact-bytes":
        return ARTIFACT
    last = path[path.rfind("/") + 1 :]
    if last in _SEARCHES:
        return SEARCH
    if last == "events" and method == "GET" and route.kind in _LISTENED_TO:
        return LIVE
    if method in {"GET", "HEAD"} or last in _READS_BY_POST:
        return READ
    if route.kind == "runs" and last in _OF_A_RUNNING_RUN:
        return RUNNING
    return WRITE


def climbs(path: str) -> bool:
    """Whether a decoded path has `.` or `..` as a part, which no endpoint of ours has."""
    return "/." in path and any(part in (".", "..") for part in path.split("/"))
