"""Names and values beside MLflow's validation: the same taken, the same refused, the same words."""

import math
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mlflow.entities import Param
from mlflow.exceptions import MlflowException
from mlflow.utils import validation as typed_validation

from libs.common.errors import Refusal
from services.tracking.model import limits
from services.tracking.model.metrics import point

validation: Any = typed_validation
names = st.text(max_size=30) | st.text("ab./-_ :é*\n", max_size=12)


@given(names)
@example("a" * 250)
@example("a" * 251)
@example("..")
@example("a/../b")
@example("/a")
@example("a//b")
def test_a_name_is_taken_or_refused_in_mlflows_words(name: str) -> None:
    theirs = ours = ""
    try:
        validation._validate_param(name, "v")
    except MlflowException as refusal:
        theirs = refusal.message
    try:
        limits.param(name, "v")
    except Refusal as refusal:
        ours = refusal.message
    assert ours == theirs


@given(st.floats(), st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1), names)
def test_a_point_is_taken_or_refused_in_mlflows_words(
    value: float, time: int, step: int, name: str
) -> None:
    theirs = ours = ""
    try:
        validation._validate_metric(name, value, time, step)
    except MlflowException as refusal:
        theirs = refusal.message
    try:
        point(name, value, time, step)
    except Refusal as refusal:
        ours = refusal.message
    assert ours == theirs


def test_long_values_are_cut_as_mlflow_cuts_them() -> None:
    theirs = validation._validate_param("key", "x" * 7_000)
    assert isinstance(theirs, Param)
    assert limits.param("key", "x" * 7_000)[1] == theirs.value
    assert limits.tag("key", "x" * 9_000)[1] == validation._validate_tag("key", "x" * 9_000).value


def test_an_experiment_tag_is_not_cut_but_refused() -> None:
    assert limits.experiment_tag("key", "x" * 20_000) == ("key", "x" * 20_000)
    with pytest.raises(Refusal, match="'value' exceeds the maximum length of 20000 characters"):
        limits.experiment_tag("key", "x" * 20_001)


@pytest.mark.parametrize("counts", [(1000, 0, 0), (0, 100, 100), (800, 100, 100)])
def test_a_full_batch_is_taken(counts: tuple[int, int, int]) -> None:
    limits.check_batch(*counts)


@pytest.mark.parametrize("counts", [(1001, 0, 0), (0, 101, 0), (0, 0, 101), (950, 51, 0)])
def test_an_overfull_batch_is_refused_in_mlflows_words(counts: tuple[int, int, int]) -> None:
    metrics, params, tags = ([None] * count for count in counts)
    with pytest.raises(MlflowException) as theirs:
        validation._validate_batch_log_limits(metrics, params, tags)
    with pytest.raises(Refusal) as ours:
        limits.check_batch(*counts)
    assert ours.value.message == theirs.value.message


def test_a_param_given_twice_is_refused_in_mlflows_words() -> None:
    keys = ["a", "b", "a", "a"]
    with pytest.raises(MlflowException) as theirs:
        validation._validate_param_keys_unique([Param(key, "1") for key in keys])
    with pytest.raises(Refusal) as ours:
        limits.check_param_keys(keys)
    assert ours.value.message == theirs.value.message


def test_infinities_become_the_greatest_doubles_and_nan_stays() -> None:
    assert point("m", math.inf, 0, 0).value == sys.float_info.max
    assert point("m", -math.inf, 0, 0).value == -sys.float_info.max
    assert math.isnan(point("m", math.nan, 0, 0).value)


def test_a_point_needs_both_halves_of_a_dataset() -> None:
    with pytest.raises(Refusal, match="Both dataset_name and dataset_digest must be provided"):
        point("m", 1.0, 0, 0, ("", "data", ""))
    assert point("m", 1.0, 0, 0, ("", "data", "digest")).dataset_digest == "digest"


def test_a_point_of_a_model_that_cannot_be_is_refused_as_unknown() -> None:
    with pytest.raises(Refusal) as refused:
        point("m", 1.0, 0, 0, ("m-1", "", ""))
    assert refused.value.code == "RESOURCE_DOES_NOT_EXIST"
