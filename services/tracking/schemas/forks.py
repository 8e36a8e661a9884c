"""HTTP bodies of tracking's own REST: a run that continues another."""

from pydantic import BaseModel, ConfigDict, Field

_RUN_ID = "0190d5a26c4e7b1f9f2a3d5c7e9b1a2c"


class ForkBody(BaseModel):
    """Where to go on, and what the new run is called."""

    model_config = ConfigDict(extra="forbid")

    step: int | None = Field(
        default=None,
        ge=-(2**63),
        le=2**63 - 1,
        description="The last step that is taken over; without one, the last that was logged.",
        examples=[1200],
    )
    run_name: str = Field(
        default="",
        max_length=8_000,
        description="Empty: named after the run that it continues.",
        examples=["with half the learning rate"],
    )
    tags: dict[str, str] = Field(
        default={},
        max_length=100,
        description="Tags beside those that are taken over, or in their place.",
        examples=[{"reason": "the loss went up"}],
    )


class ForkedBody(BaseModel):
    """A run that continues another."""

    run_id: str = Field(examples=["0190d5a3118d7a40b5b4a1e88f6f1c02"])
    run_name: str = Field(examples=["with half the learning rate"])
    experiment_id: str = Field(examples=["7"])
    artifact_uri: str = Field(
        description="Where its own artifacts lie: those of the other run stay there.",
        examples=["mlflow-artifacts:/7/0190d5a3118d7a40b5b4a1e88f6f1c02/artifacts"],
    )
    forked_from: str = Field(examples=[_RUN_ID])
    forked_at_step: int = Field(examples=[1200])
