"""HTTP bodies about signing in on the web pages."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field


class LinkBody(BaseModel):
    """A link to sign in with once, shown this once."""

    path: str = Field(
        description="Open it after the address of the platform, in a browser. What follows the `#`"
        " is secret: no server logs it, and only pressing the page's button spends it."
    )
    id: UUID = Field(description="Ends it before its time, with `DELETE …/tokens/{id}`.")
    expires_at: datetime
