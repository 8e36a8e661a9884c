"""Facts of tracking: experiments, runs, logged models, and the telemetry of metric points."""

from typing import Final

import msgspec

from libs.common.contracts.topic import Topic


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment as it stands; `lifecycle_stage` is `active` or `deleted`.

    `owner` is the subject it belongs to, '' for nobody.
    """

    experiment_id: str
    workspace_id: int
    name: str
    artifact_location: str
    lifecycle_stage: str
    tags: dict[str, str] = {}
    owner: str = ""


class ExperimentCreated(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment came to be."""

    version: int
    experiment: Experiment


class ExperimentChanged(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment was renamed or given to somebody, or its tags changed."""

    version: int
    experiment: Experiment


class ExperimentDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment was put aside; it can be restored."""

    version: int
    experiment: Experiment


class ExperimentRestored(msgspec.Struct, frozen=True, kw_only=True):
    """A deleted experiment is active again."""

    version: int
    experiment: Experiment


class ExperimentRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """A deleted experiment in which nothing was left is gone for good, and its name is free."""

    version: int
    experiment: Experiment


class ExperimentSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment as it stands, told again on request."""

    version: int
    experiment: Experiment


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it stands, without what was logged into it; times are the client's milliseconds."""

    run_id: str
    workspace_id: int
    experiment_id: str
    name: str
    status: str
    lifecycle_stage: str
    artifact_uri: str
    start_time: int | None = None
    end_time: int | None = None


class RunCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A run was started; `forked_from` is the run that it continues, after `forked_at_step`."""

    version: int
    run: Run
    tags: dict[str, str] = {}
    forked_from: str = ""
    forked_at_step: int | None = None


class RunChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A run's status, name or end time changed."""

    version: int
    run: Run


class RunDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """A run was put aside; it can be restored."""

    version: int
    run: Run


class RunRestored(msgspec.Struct, frozen=True, kw_only=True):
    """A deleted run is active again."""

    version: int
    run: Run


class RunCondemned(msgspec.Struct, frozen=True, kw_only=True):
    """A deleted run is past its time: it is removed when the registry says that it may be."""

    version: int
    run: Run


class RunRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """A run is gone for good, with what was logged into it and its artifacts."""

    version: int
    run: Run


class RunSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it stands, told again on request."""

    version: int
    run: Run


class RunDetailsLogged(msgspec.Struct, frozen=True, kw_only=True):
    """Params, tags, inputs or outputs were written to a run; only what this write brought.

    Not part of the run's state above, so `version` is 0 and no projection of runs reads it.
    """

    run_id: str
    version: int = 0
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    deleted_tags: list[str] = []
    datasets: list[str] = []
    model_inputs: list[str] = []
    model_outputs: list[str] = []


class LoggedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model as it stands; `model_id` is `m-` and 32 hex digits."""

    model_id: str
    workspace_id: int
    experiment_id: str
    name: str
    artifact_uri: str
    status: str
    model_type: str = ""
    source_run_id: str = ""
    lifecycle_stage: str = "active"


class LoggedModelCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A model was logged; it may still be pending."""

    version: int
    model: LoggedModel


class LoggedModelChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model's status or tags changed."""

    version: int
    model: LoggedModel
    tags: dict[str, str] = {}


class LoggedModelDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model was deleted."""

    version: int
    model: LoggedModel


class LoggedModelCondemned(msgspec.Struct, frozen=True, kw_only=True):
    """A deleted model is past its time, or its experiment is: it is removed when the registry says that it may be.

    `runs` are those that made it: what is registered as `runs:/<run>/<name>` may lie in it.
    """

    version: int
    model: LoggedModel
    runs: list[str] = []


class LoggedModelRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model is gone for good, with its artifacts."""

    version: int
    model: LoggedModel


class LoggedModelSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model as it stands, told again on request."""

    version: int
    model: LoggedModel


class MetricsLogged(msgspec.Struct, frozen=True, kw_only=True):
    """Points arrived for a run: which keys, the last step of each, and how many points.

    `values` are the points where they are few, else empty, as (key, value, timestamp, step) with
    "NaN" for not-a-number. Telemetry: `version` is 0 and nothing is rebuilt from it.
    """

    run_id: str
    steps: dict[str, int]
    points: int
    version: int = 0
    values: list[tuple[str, float | str, int, int]] = []


class WorkspaceCleared(msgspec.Struct, frozen=True, kw_only=True):
    """A deleted workspace's experiments and their runs have moved to the default one, or are put away."""

    version: int
    workspace_id: int


def _workspace_key(fact: WorkspaceCleared) -> str:
    return str(fact.workspace_id)


def _experiment_key(fact: ExperimentCreated) -> str:
    return fact.experiment.experiment_id


def _run_key(fact: RunCreated | RunDetailsLogged) -> str:
    return fact.run_id if isinstance(fact, RunDetailsLogged) else fact.run.run_id


def _model_key(fact: LoggedModelCreated) -> str:
    return fact.model.model_id


def _metrics_key(fact: MetricsLogged) -> str:
    return fact.run_id


EXPERIMENTS: Final = Topic(
    "tracking.experiment.v1",
    {
        "created": ExperimentCreated,
        "changed": ExperimentChanged,
        "deleted": ExperimentDeleted,
        "restored": ExperimentRestored,
        "removed": ExperimentRemoved,
        "snapshot": ExperimentSnapshot,
    },
    _experiment_key,
)
RUNS: Final = Topic(
    "tracking.run.v1",
    {
        "created": RunCreated,
        "changed": RunChanged,
        "deleted": RunDeleted,
        "restored": RunRestored,
        "condemned": RunCondemned,
        "removed": RunRemoved,
        "details-logged": RunDetailsLogged,
        "snapshot": RunSnapshot,
    },
    _run_key,
)
LOGGED_MODELS: Final = Topic(
    "tracking.logged-model.v1",
    {
        "created": LoggedModelCreated,
        "changed": LoggedModelChanged,
        "deleted": LoggedModelDeleted,
        "condemned": LoggedModelCondemned,
        "removed": LoggedModelRemoved,
        "snapshot": LoggedModelSnapshot,
    },
    _model_key,
)
RUN_METRICS: Final = Topic(
    "tracking.run-metrics.v1",
    {"logged": MetricsLogged},
    _metrics_key,
    retention_hours=6,
    telemetry=True,
)
WORKSPACES: Final = Topic("tracking.workspace.v1", {"cleared": WorkspaceCleared}, _workspace_key)
