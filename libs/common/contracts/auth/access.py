"""Facts of auth about roles, grants, and what members may do."""

from typing import Final, Literal

import msgspec

from libs.common.contracts.topic import Topic


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A role that a tenant has defined; the built-in ones are the same everywhere."""

    name: str
    permissions: list[str]
    description: str = ""


class RoleDefined(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant defined a role."""

    version: int
    role: Role


class RoleChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A role got other permissions or another description."""

    version: int
    role: Role


class RoleDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """A role that nobody had any more was removed."""

    version: int
    role: Role


class RoleSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant's role as it stands, told again on request."""

    version: int
    role: Role


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A role or single permissions, allowed or denied to a member on some resources.

    Either `role` or `permissions` says what. `kind`, `workspace_id`, `pattern` and `expires_at` are
    as in an AccessRule.
    """

    grant_id: str
    subject: str
    effect: Literal["allow", "deny"]
    kind: Literal["tenant", "workspace", "experiment", "model"]
    role: str | None = None
    permissions: list[str] = []
    workspace_id: int = 0
    pattern: str = "*"
    expires_at: int | None = None
    reason: str = ""
    granted_by: str = ""


class GrantGranted(msgspec.Struct, frozen=True, kw_only=True):
    """Something was allowed or denied to a member, or for longer than before."""

    version: int
    grant: Grant


class GrantRevoked(msgspec.Struct, frozen=True, kw_only=True):
    """A grant was taken back."""

    version: int
    grant: Grant


class GrantSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A living grant as it stands, told again on request."""

    version: int
    grant: Grant


class AccessRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule about a subject: `effect` (`allow`, `deny`) on `permissions` of some resources.

    `kind` is `tenant` (everything), `workspace` (all that is in one), `experiment` or `model`, the
    last two by `pattern`: a name, a prefix ending in `*`, or `*`. `because` says where the rule
    comes from (`role viewer`, `grant …`), `expires_at` (milliseconds since 1970) when it ends.
    """

    rule_id: str
    effect: Literal["allow", "deny"]
    permissions: list[str]
    kind: Literal["tenant", "workspace", "experiment", "model"] = "tenant"
    workspace_id: int = 0
    pattern: str = "*"
    expires_at: int | None = None
    because: str = ""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """All that a subject of the tenant may do; `status` is `active`, `suspended` or `removed`."""

    subject: str
    status: str
    rules: list[AccessRule] = []


class AccessChanged(msgspec.Struct, frozen=True, kw_only=True):
    """What a subject may do changed; whoever decides by an older version asks anew."""

    version: int
    access: Access


def _access_key(fact: AccessChanged) -> str:
    return fact.access.subject


def _role_key(fact: RoleDefined) -> str:
    return fact.role.name


def _grant_key(fact: GrantGranted) -> str:
    return fact.grant.grant_id


ROLES: Final = Topic(
    "auth.role.v1",
    {
        "defined": RoleDefined,
        "changed": RoleChanged,
        "deleted": RoleDeleted,
        "snapshot": RoleSnapshot,
    },
    _role_key,
)
GRANTS: Final = Topic(
    "auth.grant.v1",
    {"granted": GrantGranted, "revoked": GrantRevoked, "snapshot": GrantSnapshot},
    _grant_key,
)
ACCESS: Final = Topic("auth.access.v1", {"changed": AccessChanged}, _access_key)
