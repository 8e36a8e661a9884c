"""HTTP bodies of tracking's own REST: what a producer of events needs in order to publish."""

from datetime import datetime

from pydantic import BaseModel, Field


class PassBody(BaseModel):
    """Where to publish, as whom to log in there, and how to prove whose messages they are."""

    given_pass: str = Field(
        serialization_alias="pass",
        description="Goes into the header `maestro-pass` of each message; it is no secret.",
        examples=["eyJ0ZW5hbnQiOiI3...In0.5b1d..."],
    )
    secret: str = Field(
        description="Signs each message, for `maestro-signature`; it stays with the producer.",
        examples=["9f86d081884c7d65..."],
    )
    expires_at: datetime = Field(examples=["2026-01-02T15:04:05Z"])
    bootstrap: str = Field(description="The broker's address.", examples=["127.0.0.1:9092"])
    topic: str = Field(examples=["tracking.ingest.v1"])
    username: str = Field(
        description="Of the broker: SASL/SCRAM-SHA-256.", examples=["maestro-producer"]
    )
    password: str = Field(examples=["0c9d..."])
    tenant: str = Field(
        description="The key of a message is this, a slash, and the run's id.",
        examples=["7d5f6a3e-1c2b-4d3e-8f9a-0b1c2d3e4f50"],
    )
