"""The routing table: what the client calls goes to its owner, everything else nowhere."""

import pytest

from services.gateway.routes import EXACT, ROUTES, UPSTREAMS, climbs, route_of


@pytest.mark.parametrize("prefix", ["/api", "/ajax-api"])
@pytest.mark.parametrize(
    ("path", "upstream"),
    [
        ("2.0/mlflow/experiments/create", "tracking"),
        ("2.0/mlflow/runs/log-batch", "tracking"),
        ("2.0/mlflow/metrics/get-history", "tracking"),
        ("2.0/mlflow/logged-models", "tracking"),
        ("2.0/mlflow/logged-models/m-1/tags/a/b", "tracking"),
        ("2.0/mlflow/artifacts/list", "tracking"),
        ("2.0/mlflow-artifacts/artifacts", "tracking"),
        ("2.0/mlflow-artifacts/artifacts/0/1/artifacts/a b/c.bin", "tracking"),
        ("2.0/mlflow-artifacts/mpu/create/0/1/artifacts/a", "tracking"),
        ("2.0/mlflow-artifacts/presigned/0/1/artifacts/a", "tracking"),
        ("3.0/mlflow/server-info", "tracking"),
        ("2.0/mlflow/users/current", "auth"),
        ("3.0/mlflow/users/current/permissions", "auth"),
        ("3.0/mlflow/roles/permissions/add", "auth"),
        ("2.0/mlflow/registered-models/alias", "registry"),
        ("2.0/mlflow/model-versions/create", "registry"),
    ],
)
def test_operations_go_to_their_owner(prefix: str, path: str, upstream: str) -> None:
    route = route_of(f"{prefix}/{path}")
    assert route is not None
    assert route.upstream == upstream


@pytest.mark.parametrize(
    ("path", "upstream"),
    [
        ("/version", "tracking"),
        ("/get-artifact", "tracking"),
        ("/api/maestro/v1/tokens", "auth"),
        ("/api/maestro/v1/tokens/42", "auth"),
        ("/api/maestro/v1/models/fraud/owner", "registry"),
        ("/api/maestro/v1/permissions", "auth"),
        ("/api/maestro/v1/roles/labeller", "auth"),
        ("/api/maestro/v1/grants/42", "auth"),
        ("/api/maestro/v1/access/of/user:42", "auth"),
        ("/api/maestro/v1/members/ada/role", "auth"),
        ("/api/maestro/v1/tenants/acme", "auth"),
        ("/api/maestro/v1/members/ann/suspend", "auth"),
        ("/api/maestro/v1/invitations", "auth"),
        ("/api/maestro/v1/service-accounts/ci/tokens", "auth"),
    ],
)
def test_paths_without_prefix(path: str, upstream: str) -> None:
    route = route_of(path)
    assert route is not None
    assert route.upstream == upstream


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "//api/2.0/mlflow/runs/get",
        "/api//2.0/mlflow/runs/get",
        "/api/2.0/mlflow",
        "/api/2.0/mlflow/nothing",
        "/api/2.0/mlflow/runsx/get",
        "/api/3.0/mlflow/runs/get",
        "/api/2.0/mlflow/traces",
        "/API/2.0/mlflow/runs/get",
        "/ajax-api/maestro/v1/tokens",
        "/internal/token",
        "/api/../internal/token",
        "/.well-known/jwks.json",
        "/version/x",
        "/api/3.0/mlflow/server-info/x",
        "/metrics/x",
        "/api/2.0/mlflow\\runs/get",
    ],
)
def test_everything_else_goes_nowhere(path: str) -> None:
    assert route_of(path) is None


def test_few_paths_are_public() -> None:
    public = {path for path, route in {**ROUTES, **EXACT}.items() if route.public}
    assert public == {
        "/api/3.0/mlflow/server-info",
        "/ajax-api/3.0/mlflow/server-info",
        "/version",
        "/api/maestro/v1/invitations/accept",
        "/api/2.0/mlflow-artifacts/mpu-part",
    }


def test_labels_and_upstreams_are_few() -> None:
    routes = [*ROUTES.values(), *EXACT.values()]
    assert {route.upstream for route in routes} == set(UPSTREAMS)
    assert len({route.kind for route in routes}) <= 26


@pytest.mark.parametrize("path", ["/a/../b", "/a/./b", "/..", "/a/..", "/a/."])
def test_climbing_is_noticed(path: str) -> None:
    assert climbs(path)


@pytest.mark.parametrize("path", ["/a/.hidden/b", "/a/b..c", "/a/...", "/a", "/a.b/..c"])
def test_dots_in_names_are_no_climbing(path: str) -> None:
    assert not climbs(path)
