"""Filters and orders at random: what MLflow's own parser takes is taken, and means the same."""

import os
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, Final

import pytest

from libs.common.errors import Refusal
from libs.common.filters.pages import Page
from services.registry.model.filters import parse
from services.registry.model.searches import MODELS, VERSIONS, model_search, version_search
from services.tracking.model import filters
from tests.unit import filter_grammar, filter_oracle
from tests.unit.filter_oracle import CRASH, asked, names_sql, same_words

# More, to look for what the usual ones do not show: MAESTRO_FILTERS=100000.
FIRST: Final = Page(b"key", 1, 1, "")
EXAMPLES: Final = int(os.environ.get("MAESTRO_FILTERS", "1000"))
SEED: Final = int(os.environ.get("MAESTRO_FILTERS_SEED", "20"))
# A refusal lists what is no clause piece by piece, and the pieces depend on all words of SQL.
PIECES: Final = "Invalid clause(s) in filter string: "
CURATED: Final = (
    *(
        "",
        " ",
        ";",
        "AND",
        "a",
        "=",
        "'",
        "name",
        "name =",
        "= 'a'",
        "name = 'a';",
        "name = 'a'; ;",
    ),
    *(
        "tags.a = 'b' OR tags.a = 'c'",
        "(tags.a = 'b')",
        "NOT tags.a = 'b'",
        "tags.a = 'b', tags.c = 'd'",
    ),
    *("tags.a = 'b' tags.c = 'd'", "tags.a = 'b' AND AND tags.c = 'd' AND", "AND tags.a = 'b'"),
    *("metrics.loss > 0.5 and params.p1 = 'v3'", "tags.mlflow.parentRunId = '0123'"),
    *("params.`a b` ILIKE \"%x%\" AND attributes.run_id NOT IN ('a', 'b')", "run_id IN ('a',)"),
    *(
        "metrics.f(1) = 1",
        "metrics.a. = 1",
        "metrics.a->b = 1",
        "params.a::int = '1'",
        "metrics.* = 1",
    ),
    *(
        "params.a desc = 'x'",
        "params.a AS b IS NULL",
        "params.a = 'x' b IS NULL",
        "params.a b IS NULL",
    ),
    *("params.a = 'x' = 'y'", "metrics.a = 1 + 2", "metrics.a * 2 = 1", 'params.a = "x"."y"'),
    *(
        "params.a /* c */ IS NULL",
        "params.a -- c\n IS NULL",
        "params.a = 'x' /* c */",
        "-- c\nparams.a = 'x'",
    ),
    *("experiment_id IN ('1', '2')", "experiment_id = 'x'", "creation_time > 1.5", "name LIKE 'a'"),
    *(
        "name like 'a'",
        "name = 1",
        "version_number = 1.0",
        "version_number = '1'",
        "version_number = ' 1 '",
    ),
    *(
        "run_id IN ('a', # c\n 'b')",
        "run_id IN ('a' 'b')",
        "run_id IN (('a', 'b'))",
        "run_id IN ('\\x41')",
    ),
    *("start_time = 1e3", "start_time > 99999999999999999999", "start_time = -1", "metrics.a = ٣"),
    *("tags.a IN ('b')", "dataset.name IN ('b')", "dataset.foo = 'b'", "dataset.context LIKE '%'"),
    *(
        "status = READY",
        "status IN (1, 2)",
        "name NOT IN ()",
        "metrics.a > nan",
        "metrics.a = 1_000",
    ),
    "tags.a = 'b' AND " * 3_000 + "tags.a = 'b'",
    "run_id IN (" + "'a'," * 6_000 + ")",
    "run_id IN " + "(" * 90 + "'a'" + ")" * 90,
)


def told(read: Callable[[], Any]) -> Any:
    """What we read, or our refusal's message; anything else that is raised fails the test."""
    try:
        return read()
    except Refusal as refusal:
        return refusal.message if refusal.code == "INVALID_PARAMETER_VALUE" else refusal


def clauses(read: Callable[[str], list[Any]], text: str) -> Any:
    """Our clauses as plain tuples, or our refusal's message."""
    return told(lambda: [(c.kind, c.key, c.comparator, c.value) for c in read(text)])


def agrees(text: str, ours: Any, theirs: Any) -> bool:
    """Whether two readings are one, or differ as decision 0027 lists."""
    if theirs == CRASH:
        return True
    if isinstance(ours, str) != isinstance(theirs, str):
        return names_sql(text)
    if not isinstance(ours, str):
        return repr(ours) == repr(theirs)
    if ours.startswith(PIECES) and theirs.startswith(PIECES):
        return True
    return same_words(ours) == same_words(theirs) or names_sql(text) or ":=" in text


PARSERS: Final[dict[str, tuple[Callable[[str], Any], Callable[[str], Any]]]] = {
    "runs": (filters.run_clauses, filter_oracle.runs),
    "experiments": (filters.experiment_clauses, filter_oracle.experiments),
    "logged_models": (filters.logged_model_clauses, filter_oracle.logged_models),
    "models": (lambda text: parse(text, MODELS), filter_oracle.models),
    "versions": (lambda text: parse(text, VERSIONS), filter_oracle.versions),
}


@pytest.mark.parametrize("entity", PARSERS)
def test_a_filter_means_what_it_means_to_mlflow(entity: str) -> None:
    """The same filters are taken, with the same meaning, and the same words refuse the others."""
    read, oracle = PARSERS[entity]
    random = Random(SEED)
    texts = [filter_grammar.filter_text(random, entity) for _ in range(EXAMPLES)]
    taken = 0
    for text in (*CURATED, *texts):
        ours, theirs = clauses(read, text), asked(oracle, text)
        assert agrees(text, ours, theirs), f"{text!r}\n ours   {ours}\n theirs {theirs}"
        taken += not isinstance(theirs, str)
    # A grammar of nothing but mistakes would prove little.
    assert taken > EXAMPLES / 12


def run_order(text: str) -> Any:
    """An order of runs as we read it."""
    [order] = filters.run_orders([text])
    return order.kind, order.key, order.ascending


def experiment_order(text: str) -> Any:
    """An order of experiments as we read it."""
    [order] = filters.experiment_orders([text])
    return order.kind, order.key, order.ascending


COLUMNS: Final = {"timestamp": "updated", "last_updated_timestamp": "updated"}
VERSION_COLUMNS: Final = {
    "version_number": "number",
    "creation_timestamp": "created",
    "last_updated_timestamp": "updated",
}


def mapped(columns: dict[str, str], read: Callable[[str], Any]) -> Callable[[str], Any]:
    """An order of the registry as (column, sign)."""

    def column(text: str) -> Any:
        key, ascending = read(text)
        return columns.get(key, key), 1 if ascending else -1

    return column


ORDERS: Final[dict[str, tuple[Callable[[str], Any], Callable[[str], Any]]]] = {
    "runs": (run_order, filter_oracle.run_order),
    "experiments": (experiment_order, filter_oracle.experiment_order),
    "models": (
        lambda text: model_search("", [text], 1, FIRST).order[0],
        mapped(COLUMNS, filter_oracle.model_order),
    ),
    "versions": (
        lambda text: version_search("", [text], 1, FIRST).order[0],
        mapped(VERSION_COLUMNS, filter_oracle.version_order),
    ),
}
CURATED_ORDERS: Final = (
    *(
        "",
        " ",
        "timestamp",
        "timestamp DESC",
        "timestamp  desc",
        "TIMESTAMP",
        "timestamp foo",
        "timestamp;",
    ),
    *(
        "metrics.`a b` DESC",
        "metrics.`a b`",
        "metrics.'a b'",
        "attributes.start_time",
        " start_time",
        "name,",
    ),
    *(
        "metrics.a\\b DESC",
        'metrics."a" ASC',
        "`name` DESC",
        "`name`",
        "tags.name",
        "tag.x",
        "attribute.name",
    ),
)


@pytest.mark.parametrize("entity", ORDERS)
def test_an_order_means_what_it_means_to_mlflow(entity: str) -> None:
    """The same orders are taken, with the same meaning, and the same words refuse the others."""
    read, oracle = ORDERS[entity]
    random = Random(SEED)
    texts = [filter_grammar.order_text(random, entity) for _ in range(EXAMPLES // 2)]
    for text in (*CURATED_ORDERS, *texts):
        ours, theirs = told(partial(read, text)), asked(oracle, text)
        assert agrees(text, ours, theirs), f"{text!r}\n ours   {ours}\n theirs {theirs}"
