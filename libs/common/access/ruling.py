"""What a single rule says: about which permissions, where, on which names, and until when."""

from typing import Final

from libs.common.access.permissions import READ_OF, Kind
from libs.common.access.selection import EVERYTHING, Names, pattern
from libs.common.contracts.auth import AccessRule

# The kinds whose resources have names and owners that rules are about.
NAMED: Final[tuple[Kind, ...]] = ("experiment", "model")


def reaches(rule: AccessRule, permission: str, kind: Kind, workspace_id: int) -> bool:
    """Whether a rule says anything about `permission` in a workspace, on whatever name."""
    if not (permission in rule.permissions or _hides(rule, kind)):
        return False
    if rule.kind == "tenant":
        return True
    # What is about the tenant as a whole is not held by way of one of its workspaces.
    if rule.workspace_id != workspace_id or kind == "tenant":
        return False
    return rule.kind in ("workspace", kind)


def _hides(rule: AccessRule, kind: Kind) -> bool:
    """Whether a rule denies to see things of a kind, and with that all permissions on them."""
    return rule.effect == "deny" and kind in NAMED and READ_OF[kind] in rule.permissions


def touches(rule: AccessRule, permission: str, kind: Kind, workspace_id: int, name: str) -> bool:
    """Whether a rule says anything about `permission` on the resource of that name."""
    return reaches(rule, permission, kind, workspace_id) and names_of(rule).covers(name)


def lasts(rule: AccessRule, until: int | None) -> bool:
    """Whether a rule lasts until a time (milliseconds since 1970), for None without end."""
    return rule.expires_at is None or (until is not None and rule.expires_at >= until)


def names_of(rule: AccessRule) -> Names:
    """The names a rule is about; all where it is about a tenant or a workspace."""
    return pattern(rule.pattern) if rule.kind in NAMED else EVERYTHING
