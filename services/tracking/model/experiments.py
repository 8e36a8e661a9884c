"""Experiments: their states, their ids, and what may be changed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from libs.common.errors import Refusal, exists, invalid, missing

DEFAULT_ID: Final = 0
DEFAULT_NAME: Final = "Default"
NOBODY: Final = ""
FIRST_WORKSPACE: Final = 1
CUSTOM_VIEW_PREFIX: Final = "mlflow.customView.view"
CUSTOM_VIEWS: Final = 50
_LARGEST_ID: Final = 2**31 - 1
_SUBJECT: Final = re.compile(r"(user|service):[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment without its tags; times are the database's milliseconds since 1970.

    `owner` is the subject it belongs to, '' for nobody.
    """

    experiment_id: int
    workspace_id: int
    version: int
    name: str
    artifact_location: str
    lifecycle_stage: str
    creation_time: int
    last_update_time: int
    owner: str = NOBODY

    def renamed(self, name: str) -> "Experiment":
        """The experiment with another name."""
        if self.lifecycle_stage != "active":
            raise invalid("Cannot rename a non-active experiment.")
        return replace(self, version=self.version + 1, name=name)

    def given_to(self, owner: str) -> "Experiment":
        """The experiment as another's, in any lifecycle stage."""
        return replace(self, version=self.version + 1, owner=owner)

    def put_aside(self) -> "Experiment":
        """The experiment as a deleted one."""
        if self.lifecycle_stage == "deleted":
            raise no_experiment(self.experiment_id)
        return replace(self, version=self.version + 1, lifecycle_stage="deleted")

    def brought_back(self) -> "Experiment":
        """The experiment as an active one; one that is active is not found, as in MLflow."""
        if self.lifecycle_stage == "active":
            raise no_experiment(self.experiment_id)
        return replace(self, version=self.version + 1, lifecycle_stage="active")

    def retagged(self) -> "Experiment":
        """The experiment after a change of its tags."""
        check_active(self)
        return replace(self, version=self.version + 1)


def experiment_number(experiment_id: str) -> int:
    """An experiment id as it is stored; refuses what is no integer, and what is never given."""
    number = _integer(experiment_id)
    if not 0 <= number <= _LARGEST_ID:
        raise no_experiment(number)
    return number


def known_numbers(experiment_ids: Iterable[str]) -> list[int]:
    """The ids that an experiment could have, for a search; refuses what is no integer."""
    numbers: list[int] = []
    for experiment_id in experiment_ids:
        number = _integer(experiment_id)
        if 0 <= number <= _LARGEST_ID:
            numbers.append(number)
    return numbers


def artifact_location(experiment_id: int) -> str:
    """Where an experiment's artifacts are asked for; the tenant is not in it."""
    return f"mlflow-artifacts:/{experiment_id}"


def check_artifact_location(given: str) -> None:
    """Refuse a location of the caller's choice: artifacts lie where the platform keeps them."""
    if given:
        raise invalid(
            "artifact_location cannot be specified: this server keeps artifacts where it does."
        )


def check_owner(owner: str) -> None:
    """Refuse what is no subject of a principal; '' gives an experiment to nobody."""
    if owner and not _SUBJECT.fullmatch(owner):
        raise invalid(
            f"Invalid value {owner!r} for parameter 'subject' supplied. It must be 'user:' or"
            " 'service:' with the UUID of a member or service account, or '' for nobody."
        )


def no_experiment(experiment_id: int | str) -> Refusal:
    """No such experiment, or none in the caller's workspace: both read the same."""
    return missing(f"No Experiment with id={experiment_id} exists")


def no_experiment_named(name: str) -> Refusal:
    """No experiment of that name in the caller's workspace."""
    return missing(f"Could not find experiment with name '{name}'")


def name_taken(name: str) -> Refusal:
    """The name belongs to another experiment, which may be a deleted one."""
    return exists(f"Experiment(name={name}) already exists.")


def not_active(experiment_id: int, stage: str) -> Refusal:
    """A deleted experiment takes nothing more."""
    return invalid(
        f"The experiment {experiment_id} must be in the 'active' state. Current state is {stage}."
    )


def check_active(experiment: Experiment) -> None:
    """Refuse a change to an experiment that is put aside."""
    if experiment.lifecycle_stage != "active":
        raise not_active(experiment.experiment_id, experiment.lifecycle_stage)


def check_custom_views(count: int, experiment_id: int | None = None) -> None:
    """Refuse more saved views of the web UI, which are tags, than an experiment may have."""
    if count > CUSTOM_VIEWS:
        where = "" if experiment_id is None else f" for experiment {experiment_id}"
        raise invalid(
            f"Unable to create another custom view{where}; the maximum number of custom views per"
            f" experiment is {CUSTOM_VIEWS}. Delete an existing custom view before creating a new"
            " one."
        )


def _integer(experiment_id: str) -> int:
    try:
        return int(experiment_id)
    except ValueError:
        raise invalid(
            f"Invalid experiment ID '{experiment_id}'. Experiment ID must be a valid integer."
        ) from None
