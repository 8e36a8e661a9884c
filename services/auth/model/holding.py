"""Who holds more than whom: nobody gives, or takes from, what they do not hold themselves."""

from collections.abc import Iterable
from typing import Final

from libs.common.access.permissions import PERMISSIONS
from libs.common.access.rights import Rights
from libs.common.access.selection import Names, Selection, pattern
from libs.common.contracts.auth import AccessRule
from libs.common.errors import denied

_SHOWN: Final = 3


def lacking(rights: Rights, rules: Iterable[AccessRule]) -> list[str]:
    """The permissions that `rules` allow somewhere and `rights` do not hold on all of that."""
    missed = {
        name: None
        for rule in rules
        if rule.effect == "allow"
        for name in rule.permissions
        if name in PERMISSIONS and not _holds(rights, rule, name)
    }
    return list(missed)


def insist_holds(rights: Rights, rules: Iterable[AccessRule], doing: str) -> None:
    """Refuse `doing` something (`suspend ann`) about rules that allow more than `rights` do."""
    missed = lacking(rights, rules)
    if missed:
        shown = ", ".join(missed[:_SHOWN]) + (", …" if len(missed) > _SHOWN else "")
        raise denied(
            f"You may not {doing}: that takes holding {shown} yourself, with this credential."
            " Ask an owner of the tenant."
        )


def _holds(rights: Rights, rule: AccessRule, permission: str) -> bool:
    selection = rights.selection(permission, rule.workspace_id)
    if rule.kind in ("tenant", "workspace"):
        return selection.everything
    if rule.kind != PERMISSIONS[permission].kind:
        return True  # a rule on experiments gives nothing about models, nor the other way round
    return _covers(selection, rule.pattern)


def _covers(selection: Selection, text: str) -> bool:
    """Whether every name that a pattern means is in the selection."""
    return (
        _includes(selection.allowed, text)
        and _includes(selection.within, text)
        and not _meets(selection.denied, text)
    )


def _includes(names: Names, text: str) -> bool:
    meant = pattern(text)
    if names.everything or meant.everything:
        return names.everything
    if meant.prefixes:
        return meant.prefixes[0].startswith(names.prefixes)
    return names.covers(text)


def _meets(names: Names, text: str) -> bool:
    meant = pattern(text)
    if names.everything or meant.everything:
        return not names.empty
    return (
        names.covers(meant.prefixes[0] if meant.prefixes else text)
        or any(meant.covers(name) for name in names.exact)
        or any(prefix.startswith(meant.prefixes) for prefix in names.prefixes)
    )
