"""HTTP bodies of auth's own REST."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class NewTokenBody(BaseModel):
    """What a token is asked for with."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=255, description="What it is for.", examples=["ci"])
    expires_in_days: int | None = Field(
        default=None, ge=1, le=3650, description="Ends after so many days; absent: never."
    )


class TokenBody(BaseModel):
    """A token as its owner sees it; the secret is never among it."""

    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="Exact to about a minute.")
    revoked_at: datetime | None


class IssuedTokenBody(BaseModel):
    """A new token with its secret, which is shown this once."""

    id: UUID
    name: str
    token: str = Field(description="The secret. Keep it: it cannot be shown again.")
    created_at: datetime
    expires_at: datetime | None


class TokenListBody(BaseModel):
    """A member's tokens, the newest first."""

    tokens: list[TokenBody]
