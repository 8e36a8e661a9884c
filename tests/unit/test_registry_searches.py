"""Searches of models and versions: MLflow's filter language, orders and pages, and its refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Refusal
from libs.common.filters.pages import Page, page_key
from services.registry.model import filters
from services.registry.model.searches import MODELS, VERSIONS, model_search, version_search

KEY = page_key("a secret of the registry")
FIRST = Page(KEY, 1, 1, "")


def page(token: str) -> Page:
    """The page after a token."""
    return Page(KEY, 1, 1, token)


def conditions(text: str) -> list[tuple[str, str, str, object]]:
    """A filter over versions as plain tuples."""
    found = filters.parse(text, VERSIONS)
    return [(c.kind, c.key, c.comparator, c.value) for c in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("name = 'a'", [("attribute", "name", "=", "a")]),
        ('name="a"', [("attribute", "name", "=", "a")]),
        ("attribute.name != 'a'", [("attribute", "name", "!=", "a")]),
        ("name like '%b_'", [("attribute", "name", "LIKE", "%b_")]),
        ("name Ilike 'x'", [("attribute", "name", "ILIKE", "x")]),
        ("name IN ('a', \"b\",)", [("attribute", "name", "IN", ("a", "b"))]),
        ("run_id not  in ('a')", [("attribute", "run_id", "NOT IN", ("a",))]),
        ("source_path = 's3://b/x'", [("attribute", "source_path", "=", "s3://b/x")]),
        ("version_number >= 3", [("attribute", "version_number", ">=", 3)]),
        ("version_number = '2'", [("attribute", "version_number", "=", 2)]),
        ("version_number < -1", [("attribute", "version_number", "<", -1)]),
        ("tags.k = 'v'", [("tag", "k", "=", "v")]),
        ("tag.`a b` = 'v'", [("tag", "a b", "=", "v")]),
        ("tags.\"a.b\" = 'v'", [("tag", "a.b", "=", "v")]),
        ("tags.mlflow.prompt.text = 'v'", [("tag", "mlflow.prompt.text", "=", "v")]),
        ("tags.select = 'and'", [("tag", "select", "=", "and")]),
        (
            "name = 'a' AND tags.k != 'v'\n and  version_number<2",
            [
                ("attribute", "name", "=", "a"),
                ("tag", "k", "!=", "v"),
                ("attribute", "version_number", "<", 2),
            ],
        ),
        ("name = 'a' AND", [("attribute", "name", "=", "a")]),
        ("name = 'it''s'", [("attribute", "name", "=", "it''s")]),
        ("name = 'x OR y; -- z'", [("attribute", "name", "=", "x OR y; -- z")]),
    ],
)
def test_the_language(text: str, expected: list[tuple[str, str, str, object]]) -> None:
    """Comparisons joined by AND, with MLflow's quotes and back-ticks."""
    assert conditions(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" ", "Could not be parsed"),
        ("name", "Invalid clause(s) in filter string: name"),
        ("name =", "Invalid clause(s) in filter string: name, ="),
        ("= 'a'", "Invalid clause(s) in filter string"),
        ("name = 'a' OR name = 'b'", "Invalid clause(s) in filter string: OR"),
        ("(name = 'a')", "Invalid clause(s) in filter string"),
        ("name BETWEEN 'a' AND 'b'", "Invalid clause(s) in filter string"),
        ("-- name = 'a'", "Invalid clause(s) in filter string"),
        ("name = 'a'; DROP TABLE x", "Search filter contained multiple expression"),
        ("'name' = 'a'", "Invalid comparison clause. Expected 'Identifier'"),
        ("1 = 1", "Invalid comparison clause. Expected 'Identifier'"),
        ("nome = 'a'", "Invalid attribute key 'nome' specified. Valid keys are"),
        ("`name` = 'a'", "Invalid attribute key '`name`' specified"),
        ("NAME = 'a'", "Invalid attribute key 'NAME' specified"),
        ("metrics.x = 1", "Invalid entity type 'metrics'. Valid entity types are"),
        ("name = a", "Parameter value is either not quoted"),
        ("tags.k = v", "Parameter value is either not quoted"),
        ("tags.k = 1", "Expected a quoted string value for tag"),
        ("tags.k IN ('v')", "Expected a quoted string value for tag"),
        ("tags.k > 'v'", "Invalid comparator for tag: >"),
        ("name > 'a'", "Invalid comparator for attribute: >"),
        ("name == 'a'", "Invalid comparator for attribute: =="),
        ("name <> 'a'", "Invalid comparator for attribute: <>"),
        ("name RLIKE 'a'", "Invalid comparator for attribute: RLIKE"),
        ("name LIKE ('a')", "Invalid comparator for attribute: LIKE"),
        ("name = 1", "attributes support comparison with numeric values"),
        ("name IN ()", "but got empty list"),
        ("name IN (1)", "but got different type in list"),
        ("name IN ('a', 1)", "but got different type in list"),
        ("source_path IN ('a')", "Only ['name', 'run_id'] attributes support comparison"),
        ("version_number IN (1, 2)", "Only ['name', 'run_id'] attributes support comparison"),
        ("version_number LIKE '1'", "Invalid comparator for attribute version_number: LIKE"),
        ("version_number = 1.5", "Invalid value for numeric attribute 'version_number'"),
        ("version_number = 'x'", "Invalid value for numeric attribute 'version_number'"),
        (f"version_number = {'9' * 5000}", "Invalid value for numeric attribute"),
        ("name = 'open", "Invalid clause(s) in filter string: name, =, ', open"),
        ("x" * 100_001, "'filter' exceeds the maximum length"),
    ],
)
def test_what_the_language_refuses(text: str, words: str) -> None:
    """With MLflow's code; where MLflow fails with a 500, with a 400."""
    with pytest.raises(Refusal) as refused:
        conditions(text)
    assert refused.value.code == "INVALID_PARAMETER_VALUE"
    assert words in refused.value.message


WORDS = """
name tags.k tags.`a` attribute.name AND = != LIKE IN NOT 'a' "b" ('a') () 1 a ; ( ) ' ` , -- /*
"""


def status_of(text: str, vocabulary: filters.Vocabulary) -> int:
    """What a search with this filter would be answered."""
    try:
        filters.parse(text, vocabulary)
    except Refusal as refused:
        return refused.status
    return 200


@given(st.lists(st.sampled_from([*WORDS.split(), "\n"]), max_size=8).map(" ".join))
def test_any_words_are_a_filter_or_refused(text: str) -> None:
    """Nothing but conditions or a refusal comes out."""
    assert {status_of(text, vocabulary) for vocabulary in (MODELS, VERSIONS)} <= {200, 400}


def test_conditions_on_one_attribute_narrow_each_other() -> None:
    """Equal to two things is equal to none."""
    search = model_search(
        "name IN ('a','b','c') AND name IN ('b','c') AND name != 'c'", [], 10, FIRST
    )
    name = search.texts["name"]
    assert (name.any_of, name.none_of) == (["b", "c"], ["c"])
    assert model_search("name = 'a' AND name = 'b'", [], 10, FIRST).texts["name"].any_of == []


def test_numbers_become_a_range() -> None:
    """Whatever the comparators."""
    search = version_search(
        "version_number > 3 AND version_number <= 9 AND version_number != 5", [], 10, FIRST
    )
    assert (search.number.least, search.number.most, search.number.none_of) == (4, 9, [5])
    assert version_search(f"version_number > {'9' * 30}", [], 10, FIRST).number.least <= 2**63 - 1


def test_a_backslash_at_the_end_of_a_pattern_is_a_letter() -> None:
    r"""Before another it takes its meaning from it; PostgreSQL would refuse one at the end."""
    assert model_search("name LIKE 'a\\%'", [], 10, FIRST).texts["name"].like == ["a\\%"]
    assert model_search("name LIKE 'a\\'", [], 10, FIRST).texts["name"].like == ["a\\\\"]


@pytest.mark.parametrize(
    ("text", "prompts", "tags"),
    [
        ("", False, []),
        ("tags.`mlflow.prompt.is_prompt` = 'true'", True, ["mlflow.prompt.is_prompt"]),
        ("tags.`mlflow.prompt.is_prompt` != 'false'", True, ["mlflow.prompt.is_prompt"]),
        ("tags.`mlflow.prompt.is_prompt` = 'false'", False, []),
        ("tags.`mlflow.prompt.is_prompt` != 'true' AND tags.k = 'v'", False, ["k"]),
        ("tags.`mlflow.prompt.is_prompt` LIKE 'true'", False, []),
    ],
)
def test_prompts_are_hidden_unless_named(text: str, prompts: bool, tags: list[str]) -> None:
    """And a search for models is not asked about the prompts' tag, which they never carry."""
    search = model_search(text, [], 10, FIRST)
    assert (search.prompts, search.tags.keys) == (prompts, tags)


@pytest.mark.parametrize(
    ("order_by", "order"),
    [
        ([], []),
        (["name DESC"], [("name", -1)]),
        (["timestamp"], [("updated", 1)]),
        (["last_updated_timestamp desc", "name ASC"], [("updated", -1), ("name", 1)]),
    ],
)
def test_orders_of_models(order_by: list[str], order: list[tuple[str, int]]) -> None:
    """By name or by time."""
    assert model_search("", order_by, 10, FIRST).order == order


@pytest.mark.parametrize(
    ("order_by", "words"),
    [
        (["nome"], "Invalid order by key 'nome' specified. Valid keys are '{'name', 'timestamp'}'"),
        (["name up"], "Invalid ordering key in order_by clause 'name up'."),
        (["name ASC DESC"], "Could not be parsed."),
        ([""], "Could not be parsed."),
        (["name;"], "Could not be parsed."),
        (["name", "name DESC"], "`order_by` contains duplicate fields"),
        (["timestamp", "last_updated_timestamp"], "`order_by` contains duplicate fields"),
    ],
)
def test_orders_that_are_refused(order_by: list[str], words: str) -> None:
    """In MLflow's words."""
    with pytest.raises(Refusal) as refused:
        model_search("", order_by, 10, FIRST)
    assert words in refused.value.message


def test_versions_are_ordered_by_their_last_change() -> None:
    """Newest first, unless asked otherwise."""
    assert version_search("", [], 10, FIRST).order == [("updated", -1), ("name", 1), ("number", -1)]
    search = version_search("", ["version_number DESC", "name", "creation_timestamp"], 10, FIRST)
    assert search.around_name() == ([("number", -1)], False, [("created", 1)])


def test_a_page_leads_to_the_next() -> None:
    """While there is one; its token is good for the same search only."""
    search = model_search("", [], 2, FIRST)
    token = search.next_token(["a", "b", "c"], lambda name: [name, 0])
    assert token is not None
    assert list(model_search("", [], 5, page(token)).after((str, int))) == ["b", 0]
    assert search.next_token(["a", "b"], lambda name: [name, 0]) is None
    others = [
        model_search("name = 'a'", [], 2, page(token)),
        model_search("", ["name DESC"], 2, page(token)),
        version_search("", ["name"], 2, page(token)),
    ]
    for other in others:
        with pytest.raises(Refusal, match="it was not given by this server for this search"):
            other.after((str, int))


@pytest.mark.parametrize("most", [1_001, 2**62])
def test_pages_of_models_have_a_limit(most: int) -> None:
    """1,000."""
    with pytest.raises(Refusal, match="parameter 'max_results'"):
        model_search("", [], most, FIRST)


@pytest.mark.parametrize("most", [0, -1])
def test_pages_of_versions_hold_something(most: int) -> None:
    """In MLflow's words; 200,000 at most."""
    with pytest.raises(Refusal, match="It must be a positive integer, but got"):
        version_search("", [], most, FIRST)
    with pytest.raises(Refusal, match="parameter 'max_results'"):
        version_search("", [], 200_001, FIRST)
