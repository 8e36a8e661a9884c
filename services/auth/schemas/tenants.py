"""HTTP bodies of tenants, for the platform's operator."""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from libs.common.contracts.plans import DEFAULT_PLAN, PLANS
from services.auth.model.invitations import DEFAULT_DAYS, MOST_DAYS
from services.auth.model.members import TENANT_NAME
from services.auth.schemas.members import Login, MadeInvitationBody

_PLAN: Final = f"One of {', '.join(PLANS)}."


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class NewTenantBody(_Asked):
    """A tenant to be made."""

    name: str = Field(pattern=TENANT_NAME, examples=["acme"])
    plan: str = Field(default=DEFAULT_PLAN, description=_PLAN)
    owner: Login
    expires_in_days: int = Field(
        default=DEFAULT_DAYS, ge=1, le=MOST_DAYS, description="Of the owner's invitation."
    )


class TenantChangeBody(_Asked):
    """What is to change of a tenant; what is absent stays."""

    name: str | None = Field(default=None, pattern=TENANT_NAME)
    plan: str | None = Field(default=None, description=_PLAN)
    status: Literal["active", "suspended"] | None = Field(
        default=None, description="No credential of a suspended tenant is accepted."
    )


class NewOwnerBody(_Asked):
    """Who is invited to own a tenant."""

    login: Login
    expires_in_days: int = Field(default=DEFAULT_DAYS, ge=1, le=MOST_DAYS)


class TenantBody(BaseModel):
    """A tenant; none of its data."""

    id: UUID
    tenant_no: int
    name: str
    plan: str
    status: str
    created_at: datetime


class MadeTenantBody(BaseModel):
    """A new tenant and what its first owner accepts."""

    tenant: TenantBody
    owner: MadeInvitationBody


class OperatorTokenBody(BaseModel):
    """Another token of the operator's, which is shown this once."""

    token: str = Field(description="The secret. Keep it: it cannot be shown again.")


class TenantListBody(BaseModel):
    """Tenants by name."""

    tenants: list[TenantBody]
    next_page_token: str | None = Field(
        description="Ask again with it as `page_token`; absent on the last page."
    )
