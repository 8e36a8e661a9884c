"""MLflow's own users, roles and permissions: who one is, and what replaces the rest."""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from libs.common.errors import Refusal
from libs.common.http.application import read_body
from libs.common.http.routes import Call, Routes
from services.auth.model.mlflow_permissions import PermissionRow, permission_rows
from services.auth.queries.members import find_member

# Whoever is logged in may ask: a route that reads is not refused before its handler.
_ANYBODY: Final = "workspace.read"
_OURS: Final = "/api/maestro/v1"
# MLflow's ids of users are integers, and a browser holds 53 bits of one.
_BITS_TO_DROP: Final = 128 - 53

# Method, path and the name of each operation that MLflow has for this, and what replaces it.
_REPLACED: Final = (
    ("POST", "2.0/mlflow/users/create", f"POST {_OURS}/invitations"),
    ("POST", "2.0/mlflow/users/create-ui", f"POST {_OURS}/invitations"),
    ("GET", "2.0/mlflow/users/get", f"GET {_OURS}/members/{{user}}"),
    ("GET", "2.0/mlflow/users/list", f"GET {_OURS}/members"),
    ("PATCH", "2.0/mlflow/users/update-password", f"PUT {_OURS}/password"),
    ("PATCH", "2.0/mlflow/users/update-admin", f"PUT {_OURS}/members/{{user}}/role"),
    ("DELETE", "2.0/mlflow/users/delete", f"DELETE {_OURS}/members/{{user}}"),
    ("GET", "3.0/mlflow/users/permissions/list", f"GET {_OURS}/access/of/{{subject}}"),
    ("POST", "3.0/mlflow/users/permissions/grant", f"POST {_OURS}/grants"),
    ("POST", "3.0/mlflow/users/permissions/revoke", f"DELETE {_OURS}/grants/{{id}}"),
    ("GET", "3.0/mlflow/users/permissions/get", f"GET {_OURS}/access/check"),
    ("GET", "3.0/mlflow/users/roles/list", f"GET {_OURS}/access/of/{{subject}}"),
    ("POST", "3.0/mlflow/roles/create", f"POST {_OURS}/roles"),
    ("GET", "3.0/mlflow/roles/get", f"GET {_OURS}/roles/{{name}}"),
    ("GET", "3.0/mlflow/roles/list", f"GET {_OURS}/roles"),
    ("PATCH", "3.0/mlflow/roles/update", f"PUT {_OURS}/roles/{{name}}"),
    ("DELETE", "3.0/mlflow/roles/delete", f"DELETE {_OURS}/roles/{{name}}"),
    ("POST", "3.0/mlflow/roles/permissions/add", f"PUT {_OURS}/roles/{{name}}"),
    ("DELETE", "3.0/mlflow/roles/permissions/remove", f"PUT {_OURS}/roles/{{name}}"),
    ("GET", "3.0/mlflow/roles/permissions/list", f"GET {_OURS}/roles/{{name}}"),
    ("PATCH", "3.0/mlflow/roles/permissions/update", f"PUT {_OURS}/roles/{{name}}"),
    ("POST", "3.0/mlflow/roles/assign", f"PUT {_OURS}/members/{{user}}/role"),
    ("DELETE", "3.0/mlflow/roles/unassign", f"PUT {_OURS}/members/{{user}}/role"),
    ("GET", "3.0/mlflow/roles/users/list", f"GET {_OURS}/access/who"),
)


class CurrentUser(msgspec.Struct, frozen=True):
    """Who is logged in, as MLflow tells it."""

    id: int
    username: str
    is_admin: bool


class CurrentUserAnswer(msgspec.Struct, frozen=True):
    """`is_basic_auth` has MLflow's pages offer a change of password by a route of its own."""

    user: CurrentUser
    is_basic_auth: bool = False


class CurrentPermissions(msgspec.Struct, frozen=True):
    """What the caller may do, in MLflow's words."""

    is_admin: bool
    permissions: list[PermissionRow]


def replaced() -> Routes:
    """The operations that are answered with what replaces them."""
    found = Routes()
    for method, path, instead in _REPLACED:
        found.mlflow(method, path, permission=_ANYBODY)(_refusing(path, instead))
    return found


def _refusing(path: str, instead: str) -> Callable[[Call], Awaitable[None]]:
    async def refuse(call: Call) -> None:
        # Whoever is still sending when the connection ends does not hear the answer.
        await read_body(call.request)
        raise Refusal(
            "NOT_IMPLEMENTED",
            f"MLflow's own users, roles and permissions are replaced here: use {instead}.",
        )

    refuse.__name__ = "mlflow_" + path.partition("/mlflow/")[2].replace("/", "_").replace("-", "_")
    refuse.__doc__ = f"Refused: {instead} replaces it."
    return refuse


routes = Routes()
replaced_routes = replaced()


@routes.mlflow("GET", "2.0/mlflow/users/current", permission=_ANYBODY)
async def get_current_user(call: Call) -> CurrentUserAnswer:
    """Who the caller is."""
    principal = call.principal
    async with call.running.database.reading(principal.tenant_no) as connection:
        member = await find_member(connection, principal.tenant_no, principal.subject)
    return CurrentUserAnswer(
        CurrentUser(
            id=member.user_id.int >> _BITS_TO_DROP,
            username=member.login,
            is_admin=principal.rights.holds("grant.manage"),
        )
    )


@routes.mlflow("GET", "3.0/mlflow/users/current/permissions", permission=_ANYBODY)
async def list_current_user_permissions(call: Call) -> CurrentPermissions:
    """What the caller may do, for pages that hide what somebody may not."""
    rights = call.principal.rights
    return CurrentPermissions(
        is_admin=rights.holds("grant.manage"), permissions=permission_rows(rights.rules)
    )
