"""Facts of auth: tenants, users and tokens."""

from typing import Final, Literal

import msgspec

from libs.common.contracts.topic import Topic


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant as other services know it; `tenant_no` is its short number in their tables."""

    tenant: str
    tenant_no: int
    name: str
    status: str


class TenantCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant came to be."""

    version: int
    tenant: Tenant


class TenantChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant was renamed, suspended or resumed."""

    version: int
    tenant: Tenant


class TenantSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant as it stands, told again on request."""

    version: int
    tenant: Tenant


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person or service account, member of the tenant the fact belongs to."""

    user_id: str
    login: str
    role: str
    status: str


class UserCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A user became a member of a tenant."""

    version: int
    user: User


class PasswordChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A member set a password; whoever caches principals of the actor `ended` drops them now."""

    version: int
    user: User
    ended: str


class UserSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A member as it stands, told again on request."""

    version: int
    user: User


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A service token without its secret; times are milliseconds since 1970.

    `scopes` is what it may be used for, `networks` where from, anywhere when empty; `rotated_from`
    is the token whose place it took.
    """

    token_id: str
    name: str
    subject: str
    expires_at: int | None = None
    scopes: list[str] = []
    networks: list[str] = []
    rotated_from: str | None = None


class TokenIssued(msgspec.Struct, frozen=True, kw_only=True):
    """A token was made."""

    version: int
    token: Token


class TokenChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A token's end was brought forward, as another took its place."""

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


def _tenant_key(fact: TenantCreated) -> str:
    return fact.tenant.tenant


def _user_key(fact: UserCreated) -> str:
    return fact.user.user_id


def _token_key(fact: TokenIssued) -> str:
    return fact.token.token_id


TENANTS: Final = Topic(
    "auth.tenant.v1",
    {"created": TenantCreated, "changed": TenantChanged, "snapshot": TenantSnapshot},
    _tenant_key,
)
USERS: Final = Topic(
    "auth.user.v1",
    {"created": UserCreated, "password-changed": PasswordChanged, "snapshot": UserSnapshot},
    _user_key,
)
TOKENS: Final = Topic(
    "auth.token.v1",
    {
        "issued": TokenIssued,
        "changed": TokenChanged,
        "revoked": TokenRevoked,
        "snapshot": TokenSnapshot,
    },
    _token_key,
)
ACCESS: Final = Topic("auth.access.v1", {"changed": AccessChanged}, _access_key)
