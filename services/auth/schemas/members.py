"""HTTP bodies of members, invitations and service accounts."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from services.auth.model.invitations import DEFAULT_DAYS, MOST_DAYS
from services.auth.model.members import ACCOUNT_NAME, LOGIN, ROLE_NAME
from services.auth.model.passwords import LONGEST

Login = Annotated[
    str,
    Field(
        pattern=LOGIN,
        description="An address of e-mail or the like; upper and lower case are the same.",
        examples=["ann@example.org"],
    ),
]
RoleName = Annotated[
    str,
    Field(
        pattern=ROLE_NAME,
        description="A built-in role or one of the tenant's own.",
        examples=["contributor"],
    ),
]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class MemberBody(BaseModel):
    """A member of the caller's tenant."""

    id: UUID
    subject: str = Field(description="How grants, owners and the audit trail name it.")
    login: str
    display_name: str = Field(description="Of a service account: what it is for.")
    kind: str = Field(description="person or service")
    role: str | None = Field(description="Absent: it has its grants alone.")
    status: str = Field(description="active or suspended")
    joined_at: datetime
    last_used_at: datetime | None = Field(
        description="When a token of it was last used, to about a minute."
    )


class MemberListBody(BaseModel):
    """Members by login."""

    members: list[MemberBody]
    next_page_token: str | None = Field(
        description="Ask again with it as `page_token`; absent on the last page."
    )


class NewInvitationBody(_Asked):
    """Who is invited, and as what."""

    login: Login
    role: RoleName | None = Field(description="None: a member with grants alone.")
    expires_in_days: int = Field(default=DEFAULT_DAYS, ge=1, le=MOST_DAYS)


class InvitationBody(BaseModel):
    """An invitation; never the code it is accepted with."""

    id: UUID
    login: str
    role: str | None
    made_by: str
    status: str = Field(description="open, accepted, revoked or expired")
    created_at: datetime
    expires_at: datetime


class MadeInvitationBody(BaseModel):
    """A new invitation with its code, which is shown this once."""

    invitation: InvitationBody
    code: str = Field(description="Send it to whom you invite. It cannot be shown again.")
    accept: str = Field(description="Where the code is accepted.")


class InvitationListBody(BaseModel):
    """A tenant's invitations, those that ended too."""

    invitations: list[InvitationBody]
    next_page_token: str | None = Field(
        description="Ask again with it as `page_token`; absent on the last page."
    )


class AcceptanceBody(BaseModel):
    """What an invitation is accepted with."""

    # Spaces at the ends of a password are part of it.
    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=1, max_length=64, description="The code you were sent.")
    password: SecretStr | None = Field(
        default=None,
        max_length=LONGEST,
        description="Of a new login: the password it gets. Of a known one: its own.",
    )
    display_name: str = Field(default="", max_length=255, description="Of a new login: its name.")


class JoiningBody(BaseModel):
    """What somebody who signed in accepts an invitation with."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=1, max_length=64, description="The code you were sent.")


class JoinedBody(BaseModel):
    """The membership that an invitation gave."""

    tenant: str
    login: str = Field(description="Sign in as `tenant/login`.")
    subject: str
    role: str | None


class NewServiceAccountBody(_Asked):
    """A service account to be made."""

    name: str = Field(pattern=ACCOUNT_NAME, examples=["nightly-training"])
    role: RoleName | None = Field(default=None, description="None: it has its grants alone.")
    description: str = Field(default="", max_length=255, description="What it is for.")
