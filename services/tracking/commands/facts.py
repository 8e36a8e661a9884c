"""What tracking tells others of its experiments, runs and models, made of the rules' values.

Texts that clients wrote are cut in facts: a fact must fit a message whatever was logged.
"""

from collections.abc import Mapping
from typing import Final

from libs.common.contracts import tracking as contract
from services.tracking.model.experiments import Experiment
from services.tracking.model.logged_models import STATUSES, LoggedModel
from services.tracking.model.runs import Run

_ENTRIES: Final = 1_000
_LENGTH: Final = 500


def brief(texts: Mapping[str, str]) -> dict[str, str]:
    """The first entries, their values cut."""
    return {key: value[:_LENGTH] for key, value in list(texts.items())[:_ENTRIES]}


def experiment_state(experiment: Experiment, tags: Mapping[str, str]) -> contract.Experiment:
    """An experiment as others know it."""
    return contract.Experiment(
        experiment_id=str(experiment.experiment_id),
        workspace_id=experiment.workspace_id,
        name=experiment.name,
        artifact_location=experiment.artifact_location,
        lifecycle_stage=experiment.lifecycle_stage,
        tags=brief(tags),
        owner=experiment.owner,
    )


def run_state(run: Run) -> contract.Run:
    """A run as others know it."""
    return contract.Run(
        run_id=run.run_id,
        workspace_id=run.workspace_id,
        experiment_id=str(run.experiment_id),
        name=run.name[:_LENGTH],
        status=run.status,
        lifecycle_stage=run.lifecycle_stage,
        artifact_uri=run.artifact_uri,
        start_time=run.start_time,
        end_time=run.end_time,
    )


def run_changed(run: Run) -> contract.RunChanged:
    """A run's new state."""
    return contract.RunChanged(version=run.version, run=run_state(run))


def model_state(model: LoggedModel) -> contract.LoggedModel:
    """A logged model as others know it."""
    return contract.LoggedModel(
        model_id=model.model_id,
        workspace_id=model.workspace_id,
        experiment_id=str(model.experiment_id),
        name=model.name,
        artifact_uri=model.artifact_uri,
        status=STATUSES[model.status],
        model_type=model.model_type,
        source_run_id=model.source_run_id,
        lifecycle_stage=model.lifecycle_stage,
    )


def model_changed(model: LoggedModel, tags: Mapping[str, str]) -> contract.LoggedModelChanged:
    """A logged model's new state with all its tags."""
    return contract.LoggedModelChanged(
        version=model.version, model=model_state(model), tags=brief(tags)
    )


def details_logged(
    run_id: str,
    *,
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    deleted_tags: list[str] | None = None,
    datasets: list[str] | None = None,
    model_inputs: list[str] | None = None,
    model_outputs: list[str] | None = None,
) -> contract.RunDetailsLogged:
    """What one request wrote into a run besides points."""
    return contract.RunDetailsLogged(
        run_id=run_id,
        params=brief(params or {}),
        tags=brief(tags or {}),
        deleted_tags=deleted_tags or [],
        datasets=datasets or [],
        model_inputs=model_inputs or [],
        model_outputs=model_outputs or [],
    )
