"""Which names of a workspace somebody reaches with a permission, in memory and as SQL.

A selection is {everything | names | prefixes | what one owns} minus the same for what is denied,
within what the credential is scoped to. A query filters by it in one predicate.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Names:
    """A set of names: every one, some by their names, and all that begin in a certain way.

    Prefixes are in the order of code points, and none of them begins with another.
    """

    everything: bool = False
    exact: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()

    def covers(self, name: str) -> bool:
        """Whether a name is in the set."""
        return self.everything or name in self.exact or name.startswith(self.prefixes)

    def holds_all(self, others: "Names") -> bool:
        """Whether every name of another set is in this one."""
        if self.everything or others.everything:
            return self.everything
        return all(self.covers(name) for name in others.exact) and all(
            prefix.startswith(self.prefixes) for prefix in others.prefixes
        )

    @property
    def empty(self) -> bool:
        """Whether no name is in the set."""
        return not (self.everything or self.exact or self.prefixes)

    def includes(self, other: "Names") -> bool:
        """Whether every name of the other set is in this one."""
        if self.everything or other.everything:
            return self.everything
        return all(map(self.covers, other.exact)) and all(
            prefix.startswith(self.prefixes) for prefix in other.prefixes
        )

    def meets(self, other: "Names") -> bool:
        """Whether some name may be in both sets."""
        if self.everything or other.everything:
            return not (self.empty or other.empty)
        return (
            any(map(self.covers, other.exact))
            or any(map(other.covers, self.exact))
            or any(prefix.startswith(other.prefixes) for prefix in self.prefixes)
            or any(prefix.startswith(self.prefixes) for prefix in other.prefixes)
        )


NOTHING: Final = Names()
EVERYTHING: Final = Names(everything=True)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is allowed less what is denied, within the credential's scope.

    `owner` is whom ownership counts for, '' where it counts for nobody.
    """

    allowed: Names
    denied: Names
    within: Names
    owner: str

    @property
    def everything(self) -> bool:
        """Whether nothing needs to be asked of a resource: all are covered."""
        return self.allowed.everything and self.denied.empty and self.within.everything

    @property
    def nothing(self) -> bool:
        """Whether no resource is covered, owned or not."""
        return (
            self.denied.everything or self.within.empty or (self.allowed.empty and not self.owner)
        )

    def covers(self, name: str, owner: str = "") -> bool:
        """Whether a resource of that name and owner is covered."""
        if self.denied.covers(name) or not self.within.covers(name):
            return False
        return self.allowed.covers(name) or bool(owner and owner == self.owner)


def merged(parts: Sequence[Names]) -> Names:
    """The names of all parts together; prefixes that others hold are left out."""
    if any(part.everything for part in parts):
        return EVERYTHING
    prefixes: list[str] = []
    for prefix in sorted({prefix for part in parts for prefix in part.prefixes}):
        if not (prefixes and prefix.startswith(prefixes[-1])):
            prefixes.append(prefix)
    kept = tuple(prefixes)
    if not (kept or any(part.exact for part in parts)):
        return NOTHING
    exact = {name for part in parts for name in part.exact if not name.startswith(kept)}
    return Names(exact=frozenset(exact), prefixes=kept)


def pattern(text: str) -> Names:
    """The names a grant's pattern means: `*` all, `team-a/*` a prefix, anything else itself."""
    if text == "*":
        return EVERYTHING
    # Interned, as many members have grants on the same.
    if text.endswith("*"):
        return Names(prefixes=(sys.intern(text[:-1]),))
    return Names(exact=frozenset({sys.intern(text)}))


# A name is looked for among the prefixes by halving: if it begins with one of them, then with the
# last that is not greater than it. `{name}` and `{owner}` are columns that a module of ours names,
# numbers stand for the parameters of `predicate_values`.
PREDICATE: Final = """((
    {0}::bool OR {owner} = {1}::text OR {name} = ANY({2}::text[])
    OR coalesce(starts_with({name}, ({3}::text[])[width_bucket({name} COLLATE "C", {3})]), false)
) AND NOT (
    {4}::bool OR {name} = ANY({5}::text[])
    OR coalesce(starts_with({name}, ({6}::text[])[width_bucket({name} COLLATE "C", {6})]), false)
) AND (
    {7}::bool OR {name} = ANY({8}::text[])
    OR coalesce(starts_with({name}, ({9}::text[])[width_bucket({name} COLLATE "C", {9})]), false)
))"""
VALUES: Final = 10


def predicate(name: str, owner: str, first: int) -> str:
    """The predicate over two columns; its parameters are numbered from `first` on.

    `name` and `owner` are constants of the calling module, never what a caller sent.
    """
    numbers = [f"${first + i}" for i in range(VALUES)]
    return PREDICATE.format(*numbers, name=name, owner=owner)


def predicate_values(selection: Selection) -> list[object]:
    """The parameters of `predicate`, in order."""
    allowed, denied, within = selection.allowed, selection.denied, selection.within
    return [
        *(allowed.everything, selection.owner or None),
        *(sorted(allowed.exact), list(allowed.prefixes)),
        *(denied.everything, sorted(denied.exact), list(denied.prefixes)),
        *(within.everything, sorted(within.exact), list(within.prefixes)),
    ]
