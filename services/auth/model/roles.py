"""Roles of a tenant besides the built-in ones."""

from dataclasses import dataclass
from typing import Final

from libs.common.access.roles import ROLES
from libs.common.errors import Refusal, exists

NAME: Final = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
TEXTS: Final = {
    "viewer": "Sees everything and changes nothing.",
    "contributor": "Runs experiments and registers models.",
    "reviewer": "A contributor who moves models between stages and sets aliases.",
    "admin": "Everything but what makes owners.",
    "owner": "Everything.",
}


@dataclass(frozen=True, slots=True)
class Role:
    """A role; `version` is 0 for a built-in one, which never changes."""

    name: str
    description: str
    permissions: tuple[str, ...]
    version: int

    @property
    def built_in(self) -> bool:
        """Whether every tenant has it."""
        return self.name in ROLES


def built_in_roles() -> list[Role]:
    """The five that every tenant has, the least first."""
    return [Role(name, TEXTS[name], tuple(sorted(held)), 0) for name, held in ROLES.items()]


def insist_not_built_in(name: str) -> None:
    """Refuse to define, change or delete a role that every tenant has."""
    if name in ROLES:
        raise exists(
            f"name: the role {name!r} is built in and stays as it is; choose another name."
        )


def in_use(name: str, members: list[str], grants: list[str]) -> Refusal:
    """The refusal to delete a role that somebody has; it names who, as far as fits."""
    users = [f"the role of {_some(members)}"] if members else []
    users += [f"granted to {_some(grants)}"] if grants else []
    return Refusal(
        "RESOURCE_CONFLICT",
        f"Role {name!r} is {' and '.join(users)}; give them another and revoke the grants first.",
    )


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:10])
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown
