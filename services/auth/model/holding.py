"""Who holds more than whom: nobody gives, or takes from, what they do not hold themselves."""

from collections.abc import Iterable, Sequence
from typing import Final

from libs.common.access.rights import Rights
from libs.common.contracts.auth import AccessRule
from libs.common.errors import denied
from services.auth.model.grants import applicable

_SHOWN: Final = 3


def lacking(rights: Rights, rules: Iterable[AccessRule]) -> list[str]:
    """The permissions that `rules` allow and `rights` do not hold on as much, for as long."""
    return _unheld(rights, [rule for rule in rules if rule.effect == "allow"])


def insist_holds(rights: Rights, rules: Iterable[AccessRule], doing: str) -> None:
    """Refuse `doing` something (`suspend ann`) about rules that allow more than `rights` do."""
    _refuse(lacking(rights, rules), doing)


def insist_lifts(rights: Rights, rules: Iterable[AccessRule], doing: str) -> None:
    """Refuse `doing` something that ends the denials among `rules` where they are not held."""
    _refuse(_unheld(rights, [rule for rule in rules if rule.effect == "deny"]), doing)


def _refuse(missed: Sequence[str], doing: str) -> None:
    if missed:
        shown = ", ".join(missed[:_SHOWN]) + (", …" if len(missed) > _SHOWN else "")
        raise denied(
            f"You may not {doing}: that takes holding {shown} yourself, on as much and for as long,"
            " with this credential. Ask an owner of the tenant."
        )


def _unheld(rights: Rights, rules: Iterable[AccessRule]) -> list[str]:
    # A rule on experiments is nothing about models, nor the other way round.
    missed = {
        name: None
        for rule in rules
        for name in applicable(rule.permissions, rule.kind)
        if not rights.holds_all(name, rule.kind, rule.workspace_id, rule.pattern, rule.expires_at)
    }
    return list(missed)
