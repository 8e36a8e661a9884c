"""Refusals of what somebody may not do: as missing what they may not see, else a 403 that helps."""

from typing import Final

from libs.common.access.permissions import PERMISSIONS, READ_OF
from libs.common.errors import Refusal, denied
from libs.common.principal import Principal

_NOBODY: Final = ""


def insist(
    principal: Principal,
    permission: str,
    name: str,
    owner: str,
    *,
    missing: Refusal,
) -> None:
    """Refuse unless the caller holds `permission` on the experiment or model `name` of `owner`.

    What the caller may not even read is `missing`, word for word. Where reading is denied, rights
    cover nothing. Who was only never allowed to read, as a credential that may log and nothing
    else, may do what it may.
    """
    if principal.rights.allows(permission, principal.workspace_id, name, owner):
        return
    kind = PERMISSIONS[permission].kind
    if not principal.rights.allows(READ_OF[kind], principal.workspace_id, name, owner):
        raise missing
    raise not_allowed(permission, f"{kind} {name!r}", owner)


def insist_everywhere(principal: Principal, permission: str) -> None:
    """Refuse unless the caller holds a permission on the whole tenant or workspace."""
    if not principal.rights.holds(permission, principal.workspace_id):
        kind = PERMISSIONS[permission].kind
        raise not_allowed(permission, f"this {kind}", _NOBODY)


def not_allowed(permission: str, resource: str, owner: str) -> Refusal:
    """A 403 that names permission, resource and whom to ask."""
    whom = f"its owner ({owner}) or an admin of the tenant" if owner else "an admin of the tenant"
    return denied(
        f"You may not {PERMISSIONS[permission].does}: that takes the permission {permission} on"
        f" {resource}. Ask {whom} for it."
    )
