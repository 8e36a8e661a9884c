"""What rights come down to: the permissions held on each target, and what a change gains or loses."""

from collections.abc import Iterable, Mapping

from libs.common.access.permissions import PERMISSIONS
from libs.common.access.rights import Decision, Rights
from libs.common.access.selection import EVERYTHING, pattern
from services.auth.model.grants import KINDS, NAMED, WHOLE_TENANT, Target, applicable

Effective = Mapping[Target, frozenset[str]]


def targets_of(rights: Rights) -> set[Target]:
    """The targets that the rules are about, and the whole tenant."""
    return {WHOLE_TENANT} | {
        Target(rule.kind, rule.workspace_id, rule.pattern) for rule in rights.rules
    }


def effective(rights: Rights, targets: Iterable[Target]) -> Effective:
    """The permissions held on each target; a denial of a part of it stands as a target of its own."""
    return {target: _held(rights, target) for target in sorted(targets, key=_widest_first)}


def difference(before: Rights, after: Rights) -> tuple[Effective, Effective]:
    """What is gained and what is lost; a target does not repeat what a wider one says."""
    targets = targets_of(before) | targets_of(after)
    then, now = effective(before, targets), effective(after, targets)
    gained = {target: now[target] - then[target] for target in now}
    lost = {target: then[target] - now[target] for target in now}
    return _widest(gained), _widest(lost)


def decide(rights: Rights, permission: str, target: Target, owner: str) -> Decision:
    """Whether a permission is held on a resource, or on the whole of a tenant or workspace."""
    name = target.pattern if target.kind in NAMED else ""
    return rights.decide(permission, target.workspace_id, name, owner)


def _widest_first(target: Target) -> tuple[int, int, str]:
    return KINDS.index(target.kind), target.workspace_id, target.pattern


def _held(rights: Rights, target: Target) -> frozenset[str]:
    wanted = pattern(target.pattern) if target.kind in NAMED else EVERYTHING
    held = set()
    for name in applicable(PERMISSIONS, target.kind):
        selection = rights.selection(name, target.workspace_id)
        within, denied = selection.within, selection.denied
        if (
            selection.allowed.includes(wanted)
            and within.includes(wanted)
            and not denied.includes(wanted)
        ):
            held.add(name)
    return frozenset(held)


def _widest(found: Effective) -> Effective:
    kept: dict[Target, frozenset[str]] = {}
    for target, permissions in found.items():
        wider = frozenset[str]().union(
            found.get(WHOLE_TENANT, ()) if target.kind != "tenant" else (),
            found.get(Target("workspace", target.workspace_id), ()) if target.kind in NAMED else (),
        )
        if permissions - wider:
            kept[target] = permissions - wider
    return kept
