"""The five built-in roles: each holds what the one before it holds, and more."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from libs.common.access.permissions import PERMISSIONS

_VIEWER: Final = frozenset(
    {
        "experiment.read",
        "run.read",
        "artifact.read",
        "logged-model.read",
        "model.read",
        "workspace.read",
        "token.own",
    }
)
_CONTRIBUTOR: Final = _VIEWER | {
    "experiment.create",
    "experiment.update",
    "run.create",
    "run.log",
    "run.update",
    "run.delete",
    "artifact.write",
    "artifact.delete",
    "logged-model.create",
    "logged-model.update",
    "logged-model.delete",
    "model.register",
    "model.write",
}
_REVIEWER: Final = _CONTRIBUTOR | {"model.transition", "model.alias", "member.read"}
_ADMIN: Final = frozenset(PERMISSIONS) - {"tenant.manage"}
_OWNER: Final = frozenset(PERMISSIONS)

ROLES: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "viewer": _VIEWER,
        "contributor": _CONTRIBUTOR,
        "reviewer": _REVIEWER,
        "admin": _ADMIN,
        "owner": _OWNER,
    }
)
