"""Refusals of what somebody may not do: as missing what they may not see, else a 403 that helps."""

from typing import Final

from libs.common.access.permissions import PERMISSIONS, READ_OF, Kind
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


def insist_gives(principal: Principal, kind: Kind, name: str, owner: str) -> None:
    """Refuse to give away what the caller neither owns nor holds as wholly as an owner does.

    That is with all permissions of the kind, by rules without end: who may only manage, or for a
    day, would else make itself or a friend an owner, who may do everything for ever.
    """
    if owner and owner == principal.subject:
        return
    lacking = [
        permission.name
        for permission in PERMISSIONS.values()
        if permission.kind == kind
        and not principal.rights.holds_all(permission.name, kind, principal.workspace_id, name)
    ]
    if lacking:
        raise denied(
            f"You may not give the {kind} {name!r} away: its owner may do everything with it, and"
            f" you lack {', '.join(lacking)} on it by rules without end. Ask {_whom(owner)}."
        )


def insist_everywhere(principal: Principal, permission: str) -> None:
    """Refuse unless the caller holds a permission on the whole tenant or workspace."""
    if not principal.rights.holds(permission, principal.workspace_id):
        kind = PERMISSIONS[permission].kind
        raise not_allowed(permission, f"this {kind}", _NOBODY)


def not_allowed(permission: str, resource: str, owner: str) -> Refusal:
    """A 403 that names permission, resource and whom to ask."""
    return denied(
        f"You may not {PERMISSIONS[permission].does}: that takes the permission {permission} on"
        f" {resource}. Ask {_whom(owner)} for it."
    )


def _whom(owner: str) -> str:
    return f"its owner ({owner}) or an admin of the tenant" if owner else "an admin of the tenant"
