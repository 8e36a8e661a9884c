"""The search language apart from what it shares with MLflow: sizes, doubles, and no text that breaks it."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.errors import Refusal
from services.tracking.model.filters import (
    experiment_clauses,
    experiment_orders,
    logged_model_clauses,
    run_clauses,
    run_orders,
)


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
    assert status_of_reading(logged_model_clauses, text) in (200, 400)
    assert status_of_reading(run_orders, [text]) in (200, 400)
    assert status_of_reading(experiment_orders, [text]) in (200, 400)


@pytest.mark.parametrize(
    "text",
    [
        *("a" * 100_000, "(" * 100_000, "metrics." + "a." * 50_000, "'" * 99_999, "\\'" * 50_000),
        *(
            "/* " * 50_000,
            "/*" * 50_000,
            "a " * 4_900,
            "'a' = " * 3_000,
            "a.b " * 2_400,
            "-" * 100_000,
            '"' * 99_999,
        ),
        *("[" * 50_000 + "]" * 50_000, "a" + " " * 9_000 + "= 1", "x = " + "1 + " * 2_000 + "1"),
        "run_id IN (" + "-" * 90_000 + "1)",
    ],
)
def test_long_filters_are_read_in_one_pass(text: str) -> None:
    with pytest.raises(Refusal):
        run_clauses(text)


def test_an_order_given_twice_is_refused() -> None:
    with pytest.raises(Refusal, match="duplicate fields"):
        run_orders(["start_time", "created DESC"])


def test_the_words_of_a_refusal_name_what_is_wrong() -> None:
    with pytest.raises(Refusal, match=r"Invalid clause\(s\) in filter string: 'or'$"):
        run_clauses("metrics.a = 1 or metrics.b = 1")
    with pytest.raises(Refusal, match=r"Expected numeric value type for metric\. Found 'x'"):
        run_clauses("metrics.a > 'x'")
    with pytest.raises(Refusal, match="Invalid attribute key 'foo' specified"):
        run_clauses("attributes.foo = 'x'")
