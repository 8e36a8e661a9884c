"""Facts of auth: tenants, users, tokens, roles, grants, what members may do, and workspaces."""

from typing import Final, Literal

import msgspec

from libs.common.contracts.topic import Topic


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant as other services know it; `tenant_no` is its short number in their tables.

    `plan` names one of `libs.common.contracts.plans`; it is empty in facts older than plans.
    """

    tenant: str
    tenant_no: int
    name: str
    status: str
    plan: str = ""


class TenantCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant came to be."""

    version: int
    tenant: Tenant


class TenantChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant was renamed, suspended or resumed, or its plan changed."""

    version: int
    tenant: Tenant


class TenantSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant as it stands, told again on request."""

    version: int
    tenant: Tenant


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person or service account (`kind`), member of the tenant the fact belongs to.

    `status` is `active`, `suspended` or `removed`; without a `role` it has its grants alone.
    """

    user_id: str
    login: str
    role: str
    status: str
    kind: str = "person"
    display_name: str = ""


class UserCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A user became a member of a tenant."""

    version: int
    user: User


class UserChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A member was suspended or resumed, came back, was renamed or got another role."""

    version: int
    user: User


class UserRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """A user is no member of the tenant any more."""

    version: int
    user: User


class UserSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A member as it stands, told again on request."""

    version: int
    user: User


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """An offer to become a member; `expires_at` is milliseconds since 1970."""

    invitation_id: str
    login: str
    role: str
    made_by: str
    expires_at: int


class InvitationMade(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody was invited to become a member."""

    version: int
    invitation: Invitation


class InvitationAccepted(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation was taken: `subject` is who became a member by it."""

    version: int
    invitation: Invitation
    subject: str


class InvitationRevoked(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation was taken back before anybody accepted it."""

    version: int
    invitation: Invitation


class InvitationSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """An open invitation as it stands, told again on request."""

    version: int
    invitation: Invitation


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A service token without its secret; times are milliseconds since 1970."""

    token_id: str
    name: str
    subject: str
    expires_at: int | None = None


class TokenIssued(msgspec.Struct, frozen=True, kw_only=True):
    """A token was made."""

    version: int
    token: Token


class TokenRevoked(msgspec.Struct, frozen=True, kw_only=True):
    """A token ended before its time; whoever caches its principal drops it now."""

    version: int
    token: Token


class TokenSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A living token as it stands, told again on request."""

    version: int
    token: Token


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


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace as it stands; `status` is `active`, `deleting` or `deleted`.

    `workspace_id` is its short number in other services' tables, and is never given again.
    """

    workspace_id: int
    name: str
    status: str
    description: str = ""


class WorkspaceCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace came to be."""

    version: int
    workspace: Workspace


class WorkspaceChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace was described anew, or is wholly gone: all that it held has moved or is away."""

    version: int
    workspace: Workspace


class WorkspaceDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace is being deleted, and nobody enters it any more.

    `mode` says what becomes of what it holds: `CASCADE` puts it away, `SET_DEFAULT` moves it to
    the default workspace, `RESTRICT` found nothing.
    """

    version: int
    workspace: Workspace
    mode: Literal["RESTRICT", "SET_DEFAULT", "CASCADE"]


class WorkspaceSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace as it stands, told again on request."""

    version: int
    workspace: Workspace


def _workspace_key(fact: WorkspaceCreated) -> str:
    return str(fact.workspace.workspace_id)


class HeartbeatSent(msgspec.Struct, frozen=True, kw_only=True):
    """auth, its database, its relay and the broker were there when this was told.

    `last_revocation` is the number of the last revocation that was committed before it.
    """

    version: int
    last_revocation: int


def _access_key(fact: AccessChanged) -> str:
    return fact.access.subject


def _heartbeat_key(_: HeartbeatSent) -> str:
    return "auth"


def _tenant_key(fact: TenantCreated) -> str:
    return fact.tenant.tenant


def _user_key(fact: UserCreated) -> str:
    return fact.user.user_id


def _invitation_key(fact: InvitationMade) -> str:
    return fact.invitation.invitation_id


def _token_key(fact: TokenIssued) -> str:
    return fact.token.token_id


def _role_key(fact: RoleDefined) -> str:
    return fact.role.name


def _grant_key(fact: GrantGranted) -> str:
    return fact.grant.grant_id


TENANTS: Final = Topic(
    "auth.tenant.v1",
    {"created": TenantCreated, "changed": TenantChanged, "snapshot": TenantSnapshot},
    _tenant_key,
)
USERS: Final = Topic(
    "auth.user.v1",
    {
        "created": UserCreated,
        "changed": UserChanged,
        "removed": UserRemoved,
        "snapshot": UserSnapshot,
    },
    _user_key,
)
INVITATIONS: Final = Topic(
    "auth.invitation.v1",
    {
        "made": InvitationMade,
        "accepted": InvitationAccepted,
        "revoked": InvitationRevoked,
        "snapshot": InvitationSnapshot,
    },
    _invitation_key,
)
TOKENS: Final = Topic(
    "auth.token.v1",
    {"issued": TokenIssued, "revoked": TokenRevoked, "snapshot": TokenSnapshot},
    _token_key,
)
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
WORKSPACES: Final = Topic(
    "auth.workspace.v1",
    {
        "created": WorkspaceCreated,
        "changed": WorkspaceChanged,
        "deleted": WorkspaceDeleted,
        "snapshot": WorkspaceSnapshot,
    },
    _workspace_key,
)
# No measurements of tenants', but as short-lived and as little to be audited.
HEARTBEAT: Final = Topic(
    "auth.heartbeat.v1",
    {"sent": HeartbeatSent},
    _heartbeat_key,
    partitions=1,
    retention_hours=1,
    telemetry=True,
)
