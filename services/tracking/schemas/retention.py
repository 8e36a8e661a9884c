"""HTTP bodies of tracking's own REST: how long things are kept, and what a collection removes."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.tracking.model.retention import MOST_DAYS

OlderThan = Annotated[int | None, Field(ge=0, le=MOST_DAYS)]


class NewRetentionBody(BaseModel):
    """A rule for one experiment."""

    model_config = ConfigDict(extra="forbid")

    deleted_days: int = Field(
        ge=0,
        le=MOST_DAYS,
        description="How long deleted runs and logged models, and the experiment itself, are kept"
        " before they are removed for good; 0: for ever.",
        examples=[90],
    )
    finished_days: int | None = Field(
        default=None,
        ge=1,
        le=MOST_DAYS,
        description="After how many days a finished run is put aside by itself; null: never.",
        examples=[365],
    )
    archive_days: int | None = Field(
        default=None,
        ge=0,
        le=MOST_DAYS,
        description="After how many days the points of a run that has ended are put into a file in the"
        " artifact store, from which they come back when they are read; 0: never; null: as the platform"
        " does.",
        examples=[30],
    )


class RetentionBody(BaseModel):
    """The rule that an experiment goes by."""

    deleted_days: int = Field(examples=[90])
    finished_days: int | None = Field(examples=[365])
    archive_days: int = Field(
        description="After how many days the points of a run that has ended are archived; 0: never.",
        examples=[30],
    )
    own: bool = Field(
        description="Whether it is the experiment's own; else it is the platform's.",
        examples=[True],
    )


class CollectBody(BaseModel):
    """What to collect."""

    model_config = ConfigDict(extra="forbid")

    older_than_days: OlderThan = Field(
        default=None,
        description="Remove what was deleted so many days ago, whatever the rules say; null: by the"
        " rules.",
        examples=[None, 0],
    )


class GarbageBody(BaseModel):
    """How much is removed, or would be: at most, as versions may yet speak for some of it."""

    runs: int = Field(examples=[12])
    logged_models: int = Field(examples=[3])
    experiments: int = Field(examples=[1])
    points: int = Field(description="Points of metrics.", examples=[48_000])
    artifact_bytes: int = Field(
        description="What the removed artifacts held. Their contents leave the store a while later,"
        " where nothing else has the same.",
        examples=[1_288_490_188],
    )
    waiting: int = Field(
        default=0,
        description="Runs and logged models of which the registry has not answered yet: the"
        " background collector removes them when it has.",
        examples=[0],
    )
