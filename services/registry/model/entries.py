"""What the registry keeps: registered models and model versions as they stand in a transaction."""

from dataclasses import dataclass, field

from services.registry.model.names import is_prompt


@dataclass(slots=True)
class Model:
    """A registered model; `aliases` point at version numbers, `version` counts its changes.

    `floor` is the greatest count ever told under its name before it: what is new starts above.
    `owner` is the subject that may do everything with it, '' where nobody owns it.
    """

    model_no: int
    workspace_id: int
    name: str
    description: str | None
    version: int
    floor: int
    owner: str
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)

    @property
    def is_prompt(self) -> bool:
        """Whether it is a prompt, which is stored as a model is."""
        return is_prompt(self.tags)


@dataclass(frozen=True, slots=True)
class LockedVersion:
    """A version that is locked but not loaded: which it is, and whose model it belongs to."""

    model_no: int
    name: str
    owner: str
    number: int


@dataclass(frozen=True, slots=True)
class TakenNumber:
    """The number of a version that is about to be, and what it needs to know of its model."""

    model_no: int
    owner: str
    number: int
    floor: int


@dataclass(slots=True)
class Version:
    """A version of a registered model; `number` is what MLflow calls its version."""

    model_no: int
    workspace_id: int
    name: str
    number: int
    stage: str
    description: str | None
    source: str
    storage_location: str
    run_id: str
    logged_model_id: str
    version: int
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a new version comes from, as it will be kept: empty ids where there is none."""

    source: str
    storage_location: str
    run_id: str
    logged_model_id: str


@dataclass(frozen=True, slots=True)
class KnownRun:
    """A run of tracking, as far as a version's source needs it."""

    run_id: str
    artifact_uri: str


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A logged model of tracking, as far as a version's source needs it."""

    model_id: str
    artifact_uri: str
    source_run_id: str
