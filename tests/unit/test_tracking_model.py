"""Rules of runs, experiments, datasets and page tokens."""

from uuid import UUID

import pytest

from libs.common.errors import Refusal
from services.tracking.model.experiments import Experiment, experiment_number, known_numbers
from services.tracking.model.inputs import DatasetUse, first_of_each
from services.tracking.model.runs import Run, known_run_uuids, new_run_uuid, run_name, run_uuid

RUN = Run(
    run_no=1,
    run_id="0" * 32,
    workspace_id=1,
    experiment_id=1,
    version=3,
    name="old",
    user_id="ada",
    status="RUNNING",
    lifecycle_stage="active",
    artifact_uri="mlflow-artifacts:/1/0/artifacts",
    start_time=1,
    end_time=None,
)
EXPERIMENT = Experiment(
    experiment_id=1,
    workspace_id=1,
    version=1,
    name="e",
    artifact_location="mlflow-artifacts:/1",
    lifecycle_stage="active",
    creation_time=1,
    last_update_time=1,
)


def test_a_change_keeps_what_it_does_not_name_and_counts_up() -> None:
    changed = RUN.changed(status="FINISHED", end_time=7)
    assert (changed.name, changed.status, changed.end_time, changed.version) == (
        "old",
        "FINISHED",
        7,
        4,
    )
    assert RUN.changed(name="").name == "old"
    assert changed.changed(end_time=0).end_time == 0


def test_a_run_is_put_aside_and_brought_back() -> None:
    aside = RUN.put_aside()
    assert aside.lifecycle_stage == "deleted"
    assert aside.brought_back().lifecycle_stage == "active"


def test_run_ids_are_versioned_by_time_and_read_as_they_are_written() -> None:
    first, second = new_run_uuid(), new_run_uuid()
    assert first.version == second.version == 7
    assert first != second
    assert first.hex[:8] <= second.hex[:8]
    assert run_uuid(first.hex) == first


@pytest.mark.parametrize(
    "text", ["", "nope", "0" * 31, "A" * 32, "0" * 33, str(UUID(int=0)), "０" * 32]
)
def test_what_no_run_is_called_is_refused_as_a_run_that_is_not_there(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        run_uuid(text)
    assert (refused.value.status, refused.value.message) == (404, f"Run with id={text} not found")
    assert known_run_uuids([text]) == []


def test_a_run_is_named_by_its_argument_its_tag_or_by_us() -> None:
    assert run_name("given", "") == "given"
    assert run_name("", "tagged") == "tagged"
    assert run_name("same", "same") == "same"
    assert run_name("", "").count("-") == 2
    with pytest.raises(Refusal, match="different values"):
        run_name("one", "other")


def test_an_experiment_is_found_deleted_and_restored_once() -> None:
    aside = EXPERIMENT.put_aside()
    assert aside.lifecycle_stage == "deleted"
    with pytest.raises(Refusal, match="No Experiment with id=1 exists"):
        aside.put_aside()
    with pytest.raises(Refusal, match="No Experiment with id=1 exists"):
        EXPERIMENT.brought_back()
    with pytest.raises(Refusal, match="non-active"):
        aside.renamed("new")
    with pytest.raises(Refusal, match="must be in the 'active' state"):
        aside.retagged()


def test_experiment_ids_are_integers_that_somebody_could_have() -> None:
    assert experiment_number(" 7 ") == 7
    with pytest.raises(Refusal, match="must be a valid integer"):
        experiment_number("seven")
    for nobody in ("-1", str(2**31), str(2**70)):
        with pytest.raises(Refusal, match=f"No Experiment with id={nobody} exists"):
            experiment_number(nobody)
    assert known_numbers(["1", str(2**40), "-5", "2"]) == [1, 2]


def test_of_equal_datasets_the_first_is_kept() -> None:
    one = DatasetUse("d", "x", "code", "first", "", "")
    two = DatasetUse("d", "x", "code", "second", "", "")
    other = DatasetUse("d", "y", "code", "other", "", "")
    assert first_of_each([one, two, other]) == [one, other]
