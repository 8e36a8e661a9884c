"""What is granted on what, and who may grant it: nobody what they do not hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal
from uuid import UUID

from libs.common.access.guard import not_allowed
from libs.common.access.permissions import PERMISSIONS, Kind
from libs.common.access.rights import Rights
from libs.common.errors import denied, invalid

Effect = Literal["allow", "deny"]
KINDS: Final[tuple[Kind, ...]] = ("tenant", "workspace", "experiment", "model")
NAMED: Final = ("experiment", "model")
# Who holds this on a resource decides who else may use it.
MANAGE_OF: Final[Mapping[str, str]] = MappingProxyType(
    {"experiment": "experiment.manage", "model": "model.manage"}
)


@dataclass(frozen=True, slots=True)
class Target:
    """What a grant is about: the tenant, a workspace, or experiments or models by a pattern."""

    kind: Kind
    workspace_id: int = 0
    pattern: str = "*"

    def __str__(self) -> str:
        """How a refusal names it."""
        if self.kind == "tenant":
            return "the whole tenant"
        if self.kind == "workspace":
            return f"workspace {self.workspace_id}"
        return f"{self.kind} {self.pattern!r} in workspace {self.workspace_id}"


WHOLE_TENANT: Final = Target("tenant")


@dataclass(frozen=True, slots=True)
class NewGrant:
    """A grant as it is asked for; either `role` or `permissions` says what is granted."""

    subject: str
    effect: Effect
    target: Target
    role: str | None
    permissions: tuple[str, ...]
    expires_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class StoredGrant:
    """A grant as it is stored, with the member it is about."""

    grant_id: UUID
    user_id: UUID
    user_kind: str
    login: str
    effect: Effect
    role: str | None
    permissions: tuple[str, ...]
    kind: Kind
    workspace_id: int
    pattern: str
    reason: str
    granted_by: str
    created_at: datetime
    expires_at: datetime | None
    version: int

    @property
    def target(self) -> Target:
        """What it is about."""
        return Target(self.kind, self.workspace_id, self.pattern)


def target_of(kind: Kind, workspace_id: int, pattern: str) -> Target:
    """The target that a request names; refused where its parts do not fit together."""
    if kind == "tenant":
        workspace_id = 0
    if kind not in NAMED and pattern != "*":
        raise invalid(f"pattern: a grant on a {kind} is on all of it; leave the pattern out.")
    if "*" in pattern[:-1]:
        raise invalid("pattern: `*` stands at the end only, as in `team-a/*`.")
    return Target(kind, workspace_id, pattern or "*")


def applicable(permissions: Iterable[str], kind: Kind) -> list[str]:
    """Those of the permissions that mean something in a grant of that kind."""
    return [name for name in permissions if name in PERMISSIONS and _applies(name, kind)]


def milliseconds(moment: datetime | None) -> int | None:
    """A time as rules carry it: milliseconds since 1970."""
    return None if moment is None else round(moment.timestamp() * 1000)


def insist_known(permissions: Iterable[str]) -> tuple[str, ...]:
    """The permissions in order, each once; refused where one is unknown."""
    names = sorted(set(permissions))
    for name in names:
        if name not in PERMISSIONS:
            raise invalid(
                f"permissions: {name!r} is no permission; GET /api/maestro/v1/permissions lists them."
            )
    return tuple(names)


def insist_held(
    rights: Rights, permissions: Iterable[str], target: Target, until: datetime | None = None
) -> None:
    """Refuse unless all permissions are held on all of the target, for as long as `until`."""
    end = milliseconds(until)
    lacking = [
        name
        for name in permissions
        if not rights.holds_all(name, target.kind, target.workspace_id, target.pattern, end)
    ]
    if lacking:
        raise denied(
            f"Nobody gives or lifts what they do not hold themselves, for as long: you lack"
            f" {', '.join(sorted(lacking))} on {target}. Ask an admin of the tenant."
        )


def manages(rights: Rights, target: Target, until: datetime | None = None) -> bool:
    """Whether grants on the target are the caller's to make and to take back."""
    if administers(rights):
        return True
    manage = MANAGE_OF.get(target.kind)
    return manage is not None and rights.holds_all(
        manage, target.kind, target.workspace_id, target.pattern, milliseconds(until)
    )


def administers(rights: Rights) -> bool:
    """Whether all grants of the tenant are the caller's to make, denials too."""
    return rights.holds("grant.manage")


def insist_manages(
    rights: Rights, effect: Effect, target: Target, until: datetime | None = None
) -> None:
    """Refuse unless the caller may make grants with this effect on the target."""
    allowed = administers(rights) if effect == "deny" else manages(rights, target, until)
    if not allowed:
        manage = MANAGE_OF.get(target.kind) if effect == "allow" else None
        or_else = f", or {manage} on {target}" if manage else ""
        raise not_allowed("grant.manage", f"the tenant{or_else}", "")


def _applies(permission: str, kind: Kind) -> bool:
    of = PERMISSIONS[permission].kind
    if kind == "tenant":
        return True
    return of != "tenant" if kind == "workspace" else of == kind
