"""The rules of tokens: how long they live, and that none may do more than its maker's credential."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from libs.common.access.rights import is_scope, within
from libs.common.contracts.plans import PLANS

FIRST_TOKEN_DAYS: Final = 366
DEFAULT_DAYS: Final = 90
MOST_SCOPES: Final = 100
MOST_NETWORKS: Final = 50
MOST_OVERLAP_HOURS: Final = 168
# A scope travels in every principal, which is a header.
_LONGEST_SCOPES: Final = 2000
_UNKNOWN_PLAN_DAYS: Final = 366

Network = IPv4Network | IPv6Network


class TokenRefused(Exception):
    """A token that may not be made so; the message names the field and what may be given."""


def most_days(plan: str) -> int:
    """How many days a token may live under a plan."""
    return PLANS[plan].token_days if plan in PLANS else _UNKNOWN_PLAN_DAYS


def days_of(wanted: int | None, plan: str) -> int:
    """How many days a new token lives; raises TokenRefused where the tenant's plan allows fewer."""
    most = most_days(plan)
    if wanted is None:
        return min(DEFAULT_DAYS, most)
    if wanted > most:
        raise TokenRefused(f"expires_in_days: the plan {plan!r} of your tenant allows {most} days")
    return wanted


def scopes_of(wanted: Sequence[str] | None, held: Sequence[str]) -> tuple[str, ...]:
    """A new token's scopes: what was wanted, else those of its maker's credential.

    Raises TokenRefused for what is no scope, and for more than `held`.
    """
    if wanted is None:
        return tuple(held)
    for scope in wanted:
        if not is_scope(scope) or scope.split() != [scope]:
            raise TokenRefused(
                f"scopes: {scope!r} is none; give permissions (run.log, run.*), experiment:NAME,"
                " experiment:PREFIX*, model:NAME, or * for everything. A name has no spaces here:"
                " end it before the first with *"
            )
    if not wanted:
        raise TokenRefused("scopes: an empty list allows nothing; leave it out to pass yours on")
    if len(" ".join(wanted)) > _LONGEST_SCOPES:
        raise TokenRefused(f"scopes: they are longer than {_LONGEST_SCOPES} characters together")
    if not within(wanted, held):
        raise TokenRefused(
            f"scopes: the credential you use holds {' '.join(held)}; a token made with it can be given"
            " a part of that and no more"
        )
    return tuple(dict.fromkeys(wanted))


def networks_of(wanted: Sequence[str] | None, held: Sequence[str]) -> tuple[str, ...]:
    """Where a new token may be used from: as wanted, else as its maker's credential; () is anywhere.

    Raises TokenRefused for what is no network, and for more than `held`.
    """
    if not wanted:
        return tuple(held)
    found = [_network(text) for text in wanted]
    outer = [ip_network(text) for text in held]
    if outer and not all(any(_inside(one, other) for other in outer) for one in found):
        raise TokenRefused(
            f"networks: the credential you use is for {', '.join(held)}; a token made with it can be"
            " for a part of that and no more"
        )
    return tuple(dict.fromkeys(str(one) for one in found))


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        raise TokenRefused(
            f"networks: {text!r} is none; give them as 192.0.2.0/24 or 2001:db8::/32"
        ) from None


def _inside(one: Network, other: Network) -> bool:
    if isinstance(one, IPv4Network):
        return isinstance(other, IPv4Network) and one.subnet_of(other)
    return isinstance(other, IPv6Network) and one.subnet_of(other)
