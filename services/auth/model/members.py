"""The rules of members and tenants: names, plans, and how many there may be."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from libs.common.contracts.plans import PLANS, Plan
from libs.common.errors import Refusal, denied, invalid, missing
from services.auth.model.credential import subject_of, user_id_of

OWNER: Final = "owner"
TENANT_NAME: Final = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
ROLE_NAME: Final = TENANT_NAME
# An address of e-mail or the like. No slash: what has one is a service account's.
LOGIN: Final = "^[A-Za-z0-9][A-Za-z0-9._+@-]{0,253}$"
ACCOUNT_NAME: Final = "^[a-z0-9][a-z0-9._-]{0,62}$"


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a tenant, as it stands; `last_used_at` is of its tokens, exact to a minute."""

    user_id: UUID
    login: str
    display_name: str
    kind: str
    role: str | None
    status: str
    version: int
    joined_at: datetime
    last_used_at: datetime | None = None

    @property
    def subject(self) -> str:
        """How facts, grants and owners name it."""
        return subject_of(self.user_id, self.kind)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant as it stands."""

    tenant_no: int
    tenant_id: UUID
    name: str
    plan: str
    status: str
    version: int
    created_at: datetime

    @property
    def limits(self) -> Plan | None:
        """The numbers of its plan; None where this release does not know it."""
        return PLANS.get(self.plan)


def account_login(tenant: str, name: str) -> str:
    """The login of a service account."""
    return f"{tenant}/{name}"


def meant_by(text: str) -> tuple[UUID | None, str]:
    """The id, or else the login, by which a path names a member."""
    named = user_id_of(text)
    if named is None:
        try:
            named = UUID(text)
        except ValueError:
            return None, text if "/" in text else text.lower()
    return named, ""


def no_member(text: str) -> Refusal:
    """Nobody of that name is a member, or none that the caller could see."""
    return missing(f"Member {text!r} not found")


def known_plan(name: str) -> str:
    """A plan's name; a refusal where there is no such plan."""
    if name not in PLANS:
        raise invalid(f"plan: there is no plan {name!r}; choose one of {', '.join(PLANS)}.")
    return name


def insist_room(tenant: Tenant, members: int) -> None:
    """Refuse one more member where the plan's number is reached."""
    most = tenant.limits.members if tenant.limits is not None else 0
    if most and members >= most:
        raise denied(
            f"The plan {tenant.plan!r} holds {most} members, service accounts and open invitations"
            f" together, and there are {members}. Remove some, or ask the platform's operator for"
            " another plan."
        )
