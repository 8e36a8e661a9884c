"""The search language beside MLflow's own parser: what is accepted, what is refused, what is meant."""

import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.utils import search_utils

from libs.common.errors import Refusal
from services.tracking.model.filters import (
    experiment_clauses,
    experiment_orders,
    run_clauses,
    run_orders,
)

RUNS: Any = search_utils.SearchUtils
EXPERIMENTS: Any = search_utils.SearchExperimentsUtils
Meaning = list[tuple[str, str, str, Any]]
REFUSED = "refused"

names = st.sampled_from(
    [
        *("loss", "a.b", "`a b`", '"a-b"', "`mlflow.user`", "mlflow.parentRunId", "x1", "_x"),
        *("status", "start_time", "end_time", "run_id", "user_id", "artifact_uri", "created"),
        *("name", "digest", "context", "`Run name`", "run_name", "order", "select", "model"),
    ]
)
entities = st.sampled_from(
    [
        *("metrics", "metric", "params", "param", "parameter", "tags", "tag", "attributes"),
        *("attribute", "attr", "run", "datasets", "dataset", "foo"),
    ]
)
alone = st.sampled_from(
    [
        *("status", "start_time", "end_time", "run_id", "run_name", "user_id", "Created", "foo"),
        *("`Run name`", "name", "experiment_id", "creation_time", "last_update_time"),
    ]
)
identifiers = alone | st.builds("{}.{}".format, entities, names)
signs = st.sampled_from(["=", "!=", ">", ">=", "<", "<=", "==", "<>"])
words = st.sampled_from(["LIKE", "ILIKE", "like", "IN", "NOT IN", "not in", "RLIKE"])
values = st.sampled_from(
    [
        *("1", "-1", "1.5", ".5", "1.", "1e-3", "1E5", "1e+3", "'v'", '"v"', "`v`", "v", "'a''b'"),
        *("'%x_'", "('a','b')", "('a')", "()", "(1)", "('a', 1)", "( 'a' , \"b\" )", "'x y'", "''"),
    ]
)
gaps = st.sampled_from([" ", "  "])
clauses = (
    st.builds("{}{}{}{}{}".format, identifiers, gaps | st.just(""), signs, gaps, values)
    | st.builds("{}{}{}{}{}".format, identifiers, gaps, words, gaps, values)
    | st.builds("{} {}".format, identifiers, st.sampled_from(["IS NULL", "IS NOT NULL", "is null"]))
)
filters = st.lists(clauses, max_size=3).map(" AND ".join) | st.lists(clauses, max_size=2).map(
    " and ".join
)


def is_beyond_sql(meaning: Meaning) -> bool:
    """A list where a text belongs: MLflow's parser lets it pass, and its database refuses it."""
    return any(
        isinstance(value, tuple) and comparator not in ("IN", "NOT IN")
        for _, _, comparator, value in meaning
    )


def theirs_of_runs(text: str) -> Meaning | str:
    """What MLflow makes of a filter over runs."""
    found: Meaning = []
    try:
        for clause in RUNS.parse_search_filter(text):
            kind, key, value = clause["type"], clause["key"], clause["value"]
            comparator = clause["comparator"].upper()
            key = RUNS.translate_key_alias(key) if kind == "attribute" else key
            known = (
                RUNS.is_attribute(kind, key, comparator)
                or RUNS.is_metric(kind, comparator)
                or RUNS.is_param(kind, comparator)
                or RUNS.is_tag(kind, comparator)
                or RUNS.is_dataset(kind, comparator)
            )
            assert known
            found.append((kind, key, comparator, float(value) if kind == "metric" else value))
    except MlflowException:
        return REFUSED
    return REFUSED if is_beyond_sql(found) else found


def ours_of_runs(text: str) -> Meaning | str:
    """What we make of it."""
    try:
        return [
            (c.kind, c.key, c.comparator, float(c.value) if c.kind == "metric" else c.value)  # type: ignore[arg-type]
            for c in run_clauses(text)
        ]
    except Refusal:
        return REFUSED


@settings(max_examples=1500, deadline=None)
@given(filters)
@example("")
@example("tags.mlflow.parentRunId = '0123'")
@example("metrics.loss > 0.5 and params.p1 = 'v3'")
@example("metrics.a = 1 or metrics.b = 1")
@example("metrics.a = 1;")
@example("params.`a b` ILIKE \"%x%\" AND attributes.run_id NOT IN ('a', 'b')")
def test_a_filter_over_runs_means_what_it_means_to_mlflow(text: str) -> None:
    assert ours_of_runs(text) == theirs_of_runs(text)


@cache
def mlflows_last_check() -> Any:
    """What MLflow does with a parsed filter over experiments, imported in spite of its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        store = import_module("mlflow.store.tracking.sqlalchemy_store")
    return store._get_search_experiments_filter_clauses


def theirs_of_experiments(text: str) -> Meaning | str:
    """What MLflow makes of a filter over experiments."""
    try:
        parsed = EXPERIMENTS.parse_search_filter(text)
        for clause in parsed:
            # MLflow refuses `like` where it takes `LIKE`; we take both.
            clause["comparator"] = clause["comparator"].upper()
        mlflows_last_check()(parsed, "sqlite")
    except MlflowException:
        return REFUSED
    found: Meaning = []
    for clause in parsed:
        value = clause["value"]
        if clause["key"] == "experiment_id" and clause["type"] == "attribute":
            value = (
                tuple(map(str, map(int, value))) if isinstance(value, tuple) else str(int(value))
            )
        found.append((clause["type"], clause["key"], clause["comparator"], value))
    return REFUSED if is_beyond_sql(found) else found


def ours_of_experiments(text: str) -> Meaning | str:
    """What we make of it."""
    try:
        return [(c.kind, c.key, c.comparator, c.value) for c in experiment_clauses(text)]
    except Refusal:
        return REFUSED


@settings(max_examples=1000, deadline=None)
@given(filters)
@example("experiment_id IN ('1', '2')")
@example("experiment_id = 'x'")
@example("creation_time > 1.5")
@example("name ILIKE '%A%' AND tags.`team a` IS NULL")
def test_a_filter_over_experiments_means_what_it_means_to_mlflow(text: str) -> None:
    assert ours_of_experiments(text) == theirs_of_experiments(text)


orders = st.builds(
    "{}{}".format,
    identifiers,
    st.sampled_from(["", " ASC", " DESC", " asc", " desc", " foo", " ASC DESC"]),
)


@settings(max_examples=500, deadline=None)
@given(orders)
@example("metrics.`a b` DESC")
@example("attributes.start_time")
@example("")
def test_an_order_of_runs_means_what_it_means_to_mlflow(text: str) -> None:
    try:
        kind, key, ascending = RUNS.parse_order_by_for_search_runs(text)
        key = RUNS.translate_key_alias(key) if kind == "attribute" else key
        theirs: Any = (kind, key, ascending)
        if kind == "dataset":
            theirs = REFUSED
    except (MlflowException, IndexError):
        theirs = REFUSED
    try:
        [order] = run_orders([text])
        ours: Any = (order.kind, order.key, order.ascending)
    except Refusal:
        ours = REFUSED
    assert ours == theirs


def status_of_reading(read: Callable[[Any], object], given: object) -> int:
    """200, or the status of the refusal; anything else that is raised fails the test."""
    try:
        read(given)
    except Refusal as refusal:
        return refusal.status
    return 200


@given(st.text(max_size=60))
@settings(max_examples=1000, deadline=None)
def test_no_text_breaks_the_parsers(text: str) -> None:
    assert status_of_reading(run_clauses, text) in (200, 400)
    assert status_of_reading(experiment_clauses, text) in (200, 400)
    assert status_of_reading(run_orders, [text]) in (200, 400)
    assert status_of_reading(experiment_orders, [text]) in (200, 400)


@pytest.mark.parametrize(
    "text", ["a" * 100_000, "(" * 100_000, "metrics." + "a." * 50_000, "'" * 99_999]
)
def test_long_filters_are_read_in_one_pass(text: str) -> None:
    with pytest.raises(Refusal):
        run_clauses(text)


def test_an_order_given_twice_is_refused() -> None:
    with pytest.raises(Refusal, match="duplicate fields"):
        run_orders(["start_time", "created DESC"])


def test_the_words_of_a_refusal_name_what_is_wrong() -> None:
    with pytest.raises(Refusal, match=r"Invalid clause\(s\) in filter string: 'or'"):
        run_clauses("metrics.a = 1 or metrics.b = 1")
    with pytest.raises(Refusal, match=r"Expected numeric value type for metric\. Found 'x'"):
        run_clauses("metrics.a > 'x'")
    with pytest.raises(Refusal, match="Invalid attribute key 'foo' specified"):
        run_clauses("attributes.foo = 'x'")
