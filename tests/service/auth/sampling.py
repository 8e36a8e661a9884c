"""Points at which rights are looked at: a permission on one resource, or on all of a tenant."""

from typing import Any, NamedTuple

from libs.common.access.permissions import PERMISSIONS
from libs.common.access.rights import Rights
from libs.common.access.selection import pattern

NAMES = ("a", "a/x", "a/x/1", "a/y", "b", "b/x", "c")
PATTERNS = ("*", "a*", "a/*", "a/x", "a/x/*", "b*", "b/x", "c")
WORKSPACES = (1, 2)
PERMISSIONS_TRIED = (
    "experiment.read",
    "experiment.manage",
    "run.log",
    "model.read",
    "model.manage",
    "workspace.manage",
    "member.manage",
    "role.manage",
    "grant.manage",
    "audit.read",
    "tenant.manage",
)


class Point(NamedTuple):
    """A permission on a resource of that name, or on a workspace or tenant as a whole."""

    permission: str
    workspace_id: int
    name: str


def points(permissions: tuple[str, ...] = PERMISSIONS_TRIED) -> list[Point]:
    """All points to look at."""
    found = []
    for permission in permissions:
        named = PERMISSIONS[permission].kind in ("experiment", "model")
        for workspace_id in WORKSPACES:
            found += [Point(permission, workspace_id, name) for name in (NAMES if named else ("",))]
    return found


def held(rights: Rights, permissions: tuple[str, ...] = PERMISSIONS_TRIED) -> set[Point]:
    """The points at which rights allow, as services decide it."""
    return {
        point
        for point in points(permissions)
        if (
            rights.allows(point.permission, point.workspace_id, point.name)
            if point.name
            else rights.holds(point.permission, point.workspace_id)
        )
    }


def covered(targets: list[dict[str, Any]], point: Point) -> bool:
    """Whether an answer's targets with their permissions say something of a point."""
    return any(point.permission in each["permissions"] and _at(each, point) for each in targets)


def _at(target: dict[str, Any], point: Point) -> bool:
    if target["kind"] == "tenant":
        return True
    of = PERMISSIONS[point.permission].kind
    if target["workspace_id"] != point.workspace_id or of == "tenant":
        return False
    if target["kind"] == "workspace":
        return True
    return target["kind"] == of and pattern(target["pattern"]).covers(point.name)
