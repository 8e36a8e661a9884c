"""docs/permissions.md: each permission, what it lets one do, and the built-in roles that hold it."""

from libs.common.access.permissions import PERMISSIONS, Permission
from libs.common.access.roles import ROLES

HEAD = """# Permissions

Every permission there is and the built-in roles that hold it; written by `make contracts`. A tenant
defines further roles of them (`/api/maestro/v1/roles`), and grants allow or deny roles or single
permissions on the tenant, on a workspace, or on experiments or models by name or prefix
(`/api/maestro/v1/grants`). [routes.md](routes.md) names the permission of each operation.

A permission is granted on its kind of resource or on anything that holds it: one about an experiment
on experiments, on a workspace and on the tenant. One about the tenant counts only where it is granted
on the tenant. An explicit deny wins over every allow and over ownership; owners of a tenant are
denied nothing. Nobody gives, and nobody lifts a denial of, what they do not hold themselves on all of
it and for as long.
"""


def document() -> str:
    """The page: one row for each permission, one column for each built-in role."""
    roles = list(ROLES)
    lines = [HEAD, f"| permission | about | lets one | {' | '.join(roles)} |"]
    lines.append("|---|---|---|" + ":-:|" * len(roles))
    lines += [_row(permission) for permission in PERMISSIONS.values()]
    return "\n".join([*lines, ""])


def _row(permission: Permission) -> str:
    held = ["✓" if permission.name in names else "" for names in ROLES.values()]
    return f"| `{permission.name}` | {permission.kind} | {permission.does} | {' | '.join(held)} |"
