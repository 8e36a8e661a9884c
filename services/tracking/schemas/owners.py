"""HTTP bodies of tracking's own REST: whom an experiment belongs to."""

from pydantic import BaseModel, ConfigDict, Field


class OwnerBody(BaseModel):
    """A member or service account that may do everything with an experiment."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(
        max_length=44,
        description="`user:` or `service:` with a UUID; empty: nobody.",
        examples=["user:0190d5a2-6c4e-7b1f-9f2a-3d5c7e9b1a2c"],
    )
