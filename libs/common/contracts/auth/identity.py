"""Facts of auth about tenants, their members, and invitations."""

from typing import Final

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


class PasswordChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A member set a password; whoever caches principals of the actor `ended` drops them now."""

    version: int
    user: User
    ended: str


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


def _tenant_key(fact: TenantCreated) -> str:
    return fact.tenant.tenant


def _user_key(fact: UserCreated) -> str:
    return fact.user.user_id


def _invitation_key(fact: InvitationMade) -> str:
    return fact.invitation.invitation_id


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
        "password-changed": PasswordChanged,
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
