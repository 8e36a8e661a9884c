"""HTTP bodies about roles, grants and what they come down to."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from libs.common.access.permissions import Kind
from services.auth.model.grants import Effect
from services.auth.model.roles import NAME

LONGEST_SECONDS = 10 * 366 * 24 * 3600
RoleName = Annotated[str, Field(pattern=NAME, description="a-z, 0-9 and -.", examples=["labeller"])]
Permissions = Annotated[
    list[str], Field(max_length=100, examples=[["experiment.read", "run.read"]])
]
Subject = Annotated[
    str,
    Field(
        min_length=1,
        max_length=255,
        description="`user:…`, `service:…`, a login or the name of a service account.",
        examples=["ada"],
    ),
]


class Asked(BaseModel):
    """What all bodies of requests have in common."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class PermissionBody(BaseModel):
    """A permission: the kind of resource it is about, and what it lets one do."""

    name: str
    kind: Kind
    does: str


class PermissionListBody(BaseModel):
    """All permissions there are."""

    permissions: list[PermissionBody]


class RoleChangeBody(Asked):
    """A role as it shall be."""

    description: str = Field(default="", max_length=1000)
    permissions: Permissions = Field(min_length=1)


class NewRoleBody(RoleChangeBody):
    """A role to be defined."""

    name: RoleName


class RoleBody(BaseModel):
    """A role; `version` rises with every change and is 0 for a built-in one."""

    name: str
    description: str
    permissions: list[str]
    built_in: bool
    version: int


class RoleListBody(BaseModel):
    """The built-in roles, then those of the tenant."""

    roles: list[RoleBody]


class GivenRoleBody(Asked):
    """Which role a member shall have; null for none, which leaves them their grants."""

    role: str | None = Field(examples=["contributor"])


class MemberRoleBody(BaseModel):
    """A member and its role."""

    subject: str
    login: str
    role: str | None


class NewGrantBody(Asked):
    """What is allowed or denied to whom, on what: one role, or permissions."""

    subject: Subject
    effect: Effect = "allow"
    role: str | None = Field(default=None, examples=["contributor"])
    permissions: Permissions = []
    kind: Kind = Field(examples=["experiment"])
    workspace_id: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="Absent: the one you work in."
    )
    pattern: str = Field(
        default="*",
        max_length=500,
        description="A name, a prefix that ends in `*`, or `*`.",
        examples=["team-a/*"],
    )
    expires_at: AwareDatetime | None = Field(default=None, description="Ends then by itself.")
    expires_in: int | None = Field(
        default=None, ge=1, le=LONGEST_SECONDS, description="Ends after so many seconds."
    )
    reason: str = Field(default="", max_length=1000)


class GrantBody(BaseModel):
    """A grant."""

    id: UUID
    subject: str
    login: str
    effect: Effect
    role: str | None
    permissions: list[str]
    kind: Kind
    workspace_id: int | None
    pattern: str
    reason: str
    granted_by: str
    created_at: datetime
    expires_at: datetime | None


class GrantListBody(BaseModel):
    """Living grants; with `next_page_token` there are more."""

    grants: list[GrantBody]
    next_page_token: str | None = None


class RuleBody(BaseModel):
    """A rule that decides; `because` tells the role or the grant that it comes from."""

    rule_id: str
    effect: Effect
    permissions: list[str]
    kind: Kind
    workspace_id: int | None
    pattern: str
    expires_at: datetime | None
    because: str


class HeldBody(BaseModel):
    """Permissions that are held on all of a target."""

    kind: Kind
    workspace_id: int | None
    pattern: str
    permissions: list[str]


class AccessBody(BaseModel):
    """What a subject may do: its rules, and what they come down to on each target."""

    subject: str
    status: str
    version: int
    rules: list[RuleBody]
    effective: list[HeldBody]
    note: str


class DecisionBody(BaseModel):
    """Whether something is allowed, and the rule that decided, if one did."""

    subject: str
    allowed: bool
    why: str
    rule: RuleBody | None
    note: str


class WhoBody(BaseModel):
    """A member who is allowed or denied something, and why."""

    subject: str
    login: str
    why: str
    rule: RuleBody | None


class WhoListBody(BaseModel):
    """Who holds a permission on something, and who is denied it by an explicit deny."""

    permission: str
    kind: Kind
    workspace_id: int | None
    name: str
    holders: list[WhoBody]
    denied: list[WhoBody]
    next_page_token: str | None = None
    note: str


class RoleTrialBody(Asked):
    """A role with other permissions."""

    name: str
    permissions: Permissions = Field(min_length=1)


class MemberTrialBody(Asked):
    """A member with another role, or none."""

    subject: Subject
    role: str | None


class TrialBody(Asked):
    """The change to try: exactly one of the three."""

    role: RoleTrialBody | None = None
    member: MemberTrialBody | None = None
    grant: NewGrantBody | None = None


class EffectBody(BaseModel):
    """What a change would do to one member."""

    subject: str
    gains: list[HeldBody]
    loses: list[HeldBody]


class EffectListBody(BaseModel):
    """Everybody for whom a change would make a difference; nothing of it is stored."""

    effects: list[EffectBody]
    note: str
