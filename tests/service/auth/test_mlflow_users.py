"""MLflow's own users, roles and permissions: who one is, and what replaces the rest."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.auth.api.users import replaced_routes, routes
from services.gateway.routes import route_of
from tests.service.auth.colleagues import Person, join
from tests.service.auth.installation import Auth

_DECLARED = re.compile(
    r'_get_(?:rest|ajax)_path\("(/mlflow/(?:users|roles)/[a-z/-]+)"(?:, version=(\d))?\)'
)
PREFIXES = ("/api", "/ajax-api")


def paths_of_mlflow() -> set[str]:
    """Every path about users, roles and their permissions in the installed mlflow."""
    found = find_spec("mlflow")
    assert found is not None
    assert found.origin is not None
    text = (Path(found.origin).parent / "server/auth/routes.py").read_text(encoding="utf-8")
    return {f"{version or 2}.0{path}" for path, version in _DECLARED.findall(text)}


def ours() -> list[tuple[str, str]]:
    """Method and path of each operation that is answered with what replaces it."""
    return [(route.method, path) for route in replaced_routes.all for path in route.paths]


async def answered(person: Person, path: str) -> Any:
    """What an operation answers, which must be granted."""
    reply = await person.ask("GET", path)
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "application/json"
    return msgspec.json.decode(reply.body)


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_the_current_user_is_told_as_mlflow_does(auth: Auth, prefix: str) -> None:
    for role, is_admin in (("viewer", False), ("admin", True), ("owner", True), (None, False)):
        person = await join(auth, role)
        told = await answered(person, f"{prefix}/2.0/mlflow/users/current")
        assert told.keys() == {"user", "is_basic_auth"}
        assert told["user"].keys() == {"id", "username", "is_admin"}
        assert told["user"]["username"] == person.login
        assert told["user"]["is_admin"] is is_admin
        assert 0 <= told["user"]["id"] < 2**53
        assert told["is_basic_auth"] is False


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_own_permissions_are_told_in_mlflows_words(auth: Auth, prefix: str) -> None:
    admin, person = await join(auth, "admin"), await join(auth, "viewer")
    for body in (
        {"kind": "experiment", "pattern": "team/*", "role": "contributor"},
        {"kind": "model", "pattern": "m", "permissions": ["model.manage"], "effect": "deny"},
    ):
        reply = await admin.ask("POST", "/grants", {"subject": person.login, **body})
        assert reply.status == 201
    told = await answered(person, f"{prefix}/3.0/mlflow/users/current/permissions")
    assert told["is_admin"] is False
    rows = [tuple(row.values()) for row in told["permissions"]]
    assert list(told["permissions"][0]) == [
        "role_id",
        "role_name",
        "workspace",
        "resource_type",
        "resource_pattern",
        "permission",
    ]
    assert rows == [
        (1, "role viewer", "*", "workspace", "*", "USE"),
        (1, "role viewer", "*", "experiment", "*", "READ"),
        (1, "role viewer", "*", "registered_model", "*", "READ"),
        (2, "grant of role contributor", "default", "experiment", "team/*", "EDIT"),
        (3, "deny", "default", "registered_model", "m", "DENY"),
    ]
    nobody = await join(auth, None)
    told = await answered(nobody, f"{prefix}/3.0/mlflow/users/current/permissions")
    assert told == {"is_admin": False, "permissions": []}


@pytest.mark.parametrize(("method", "path"), ours())
async def test_the_rest_tells_what_replaces_it(auth: Auth, method: str, path: str) -> None:
    reply = await (await join(auth, None)).ask(method, path, {"username": "ada"})
    assert reply.status == 501
    told = msgspec.json.decode(reply.body)
    assert told["error_code"] == "NOT_IMPLEMENTED"
    assert "/api/maestro/v1/" in told["message"]
    anonymous = await auth.ask_as("", method, path, {})
    assert anonymous.status == 401


def test_every_operation_of_mlflow_is_answered() -> None:
    answered_paths = {path for route in (*routes.all, *replaced_routes.all) for path in route.paths}
    wanted = {f"{prefix}/{path}" for prefix in PREFIXES for path in paths_of_mlflow()}
    assert len(wanted) > 40
    assert wanted <= answered_paths
    for path in answered_paths:
        found = route_of(path)
        assert found is not None
        assert found.upstream == "auth"
