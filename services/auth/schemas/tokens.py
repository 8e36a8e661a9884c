"""HTTP bodies about tokens."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.auth.model.tokens import (
    DEFAULT_DAYS,
    MOST_NETWORKS,
    MOST_OVERLAP_HOURS,
    MOST_SCOPES,
)


class NewTokenBody(BaseModel):
    """What a token is asked for with."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=255, description="What it is for.", examples=["ci"])
    expires_in_days: int | None = Field(
        default=None,
        ge=1,
        le=3650,
        description=f"Ends after so many days, {DEFAULT_DAYS} when absent; your plan has a most, and"
        " what `expires_at` of the answer says may be sooner.",
    )
    scopes: list[str] | None = Field(
        default=None,
        max_length=MOST_SCOPES,
        description="Permissions, all of a kind, resources by name or prefix; absent: those of the"
        " credential in use, which it never passes.",
        examples=[["run.*", "artifact.write", "experiment:team-a/*"]],
    )
    networks: list[str] | None = Field(
        default=None,
        max_length=MOST_NETWORKS,
        description="Where it may be used from; absent: as the credential in use, else anywhere.",
        examples=[["192.0.2.0/24", "2001:db8::/32"]],
    )
    workspace_id: int | None = Field(
        default=None,
        ge=1,
        le=2**31 - 1,
        description="The workspace of requests that name none; absent: that of this request.",
    )


class TokenBody(BaseModel):
    """A token as its owner sees it; the secret is never among it."""

    id: UUID
    name: str
    scopes: list[str]
    networks: list[str] = Field(description="Where it may be used from; empty: anywhere.")
    workspace_id: int
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = Field(description="Exact to about a minute.")
    revoked_at: datetime | None
    rotated_from: UUID | None = Field(description="The token whose place it took.")
    issued_by: UUID | None = Field(
        description="The token it was made with: revoking that one revokes it too."
    )
    kind: str = Field(
        description="`token`; `session` where somebody signed in on the web pages with it; `link` to"
        " sign in there once."
    )


class IssuedTokenBody(BaseModel):
    """A new token with its secret, which is shown this once."""

    id: UUID
    name: str
    token: str = Field(description="The secret. Keep it: it cannot be shown again.")
    scopes: list[str]
    networks: list[str]
    created_at: datetime
    expires_at: datetime = Field(
        description="No later than the token it was made with ends, unless that has every scope and"
        " is of somebody who holds token.manage. Made signed in with a password, as wanted."
    )


class TokenListBody(BaseModel):
    """A member's tokens, the newest first."""

    tokens: list[TokenBody]


class RotationBody(BaseModel):
    """How long the old secret goes on beside the new one."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: int = Field(
        default=24,
        ge=0,
        le=MOST_OVERLAP_HOURS,
        description="The old token ends after so many hours; 0 ends it at once.",
    )


class InventoryTokenBody(TokenBody):
    """A token of the tenant, with whom it belongs to."""

    owner: str = Field(description="The login of the person or service account.")
    owner_kind: str = Field(description="`person` or `service`.")


class InventoryBody(BaseModel):
    """A page of the tenant's tokens."""

    tokens: list[InventoryTokenBody]
    next_page_token: str | None = Field(
        default=None, description="Ask again with it as `page_token`; absent on the last page."
    )
