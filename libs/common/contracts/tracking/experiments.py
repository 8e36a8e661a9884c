"""Facts of experiments, and of workspaces that tracking has cleared."""

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


class WorkspaceCleared(msgspec.Struct, frozen=True, kw_only=True):
    """A deleted workspace's experiments and their runs have moved to the default one, or are put away."""

    version: int
    workspace_id: int


def _experiment_key(fact: ExperimentCreated) -> str:
    return fact.experiment.experiment_id


def _workspace_key(fact: WorkspaceCleared) -> str:
    return str(fact.workspace_id)


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
WORKSPACES: Final = Topic("tracking.workspace.v1", {"cleared": WorkspaceCleared}, _workspace_key)
