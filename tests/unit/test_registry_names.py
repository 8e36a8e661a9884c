"""What models, tags, aliases and versions may be called, and what MLflow's words for a refusal are."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Refusal
from services.registry.model import names, stages
from services.registry.schemas import Tag


@pytest.mark.parametrize("name", ["a", "my model", "héllo", "a\\b", "100%", "x" * 256, "v1"])
def test_names_that_mlflow_takes(name: str) -> None:
    """Anything but a slash, a colon, or what reads as another path."""
    names.check_model_name(name)


@pytest.mark.parametrize("name", ["", " ", "a/b", "a:b", ".", "..", "x" * 257])
def test_names_that_are_refused(name: str) -> None:
    """With MLflow's code, as the client maps it to an exception."""
    with pytest.raises(Refusal) as refused:
        names.check_model_name(name)
    assert (refused.value.code, refused.value.status) == ("INVALID_PARAMETER_VALUE", 400)


def test_a_missing_new_name_is_named() -> None:
    """The message says which of the two names is missing."""
    with pytest.raises(Refusal, match="parameter 'new_name'"):
        names.check_new_name("  ")


@pytest.mark.parametrize("alias", ["champion", "a-b_c", "v1x", "x" * 255, "é"])
def test_aliases_that_can_be_set(alias: str) -> None:
    """Letters, digits, underscores and dashes."""
    names.check_settable_alias(alias)


@pytest.mark.parametrize(
    ("alias", "words"),
    [
        ("latest", "'latest' alias name (case insensitive) is reserved."),
        ("LaTeSt", "'latest' alias name (case insensitive) is reserved."),
        ("v1", "Version alias name 'v1' is reserved."),
        ("V007", "Version alias name 'V007' is reserved."),
        ("a b", "Invalid alias name: 'a b'. Names may only contain alphanumerics,"),
        ("a.b", "Invalid alias name: 'a.b'. Names may only contain alphanumerics,"),
        ("a\n", "Invalid alias name: 'a\n'. Names may only contain alphanumerics,"),
        ("", "Registered model alias name cannot be empty."),
        ("x" * 256, "'Registered model alias name' exceeds the maximum length of 255 characters"),
    ],
)
def test_aliases_that_cannot_be_set(alias: str, words: str) -> None:
    """Reserved ones, and those that are no alias at all."""
    with pytest.raises(Refusal) as refused:
        names.check_settable_alias(alias)
    assert refused.value.message.startswith(words)


def test_the_last_of_several_equal_keys_counts() -> None:
    """As MLflow's dictionaries have it."""
    given_tags = [Tag("k", "1"), Tag("l", "2"), Tag("k", "3")]
    assert names.tags_of(given_tags) == {"k": "3", "l": "2"}


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        (Tag("", "x"), "Invalid value \"\" for parameter 'key'"),
        (Tag("a*b", "x"), "Names may only contain alphanumerics"),
        (Tag("a//b", "x"), "This name would resolve to 'a/b'"),
        (Tag("../a", "x"), "must not resolve to other names"),
        (Tag("k" * 251, "x"), "'key' exceeds the maximum length of 250 characters"),
        (Tag("k", "x" * 100_001), "'value' exceeds the maximum length of 100000 characters"),
        (Tag(names.PROMPT_TEXT_TAG, "x" * 100_001), "Prompt text exceeds max length of 100000"),
    ],
)
def test_tags_that_are_refused(tag: Tag, words: str) -> None:
    """By key, by length, and a prompt's text in words of its own."""
    with pytest.raises(Refusal) as refused:
        names.check_tag(tag)
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("text", "number"), [("1", 1), ("007", 7), (" 3 ", 3), ("2147483647",) * 2]
)
def test_version_numbers(text: str, number: int | str) -> None:
    """Whatever reads as a whole number."""
    assert names.version_number("m", text) == int(number)


@pytest.mark.parametrize("text", ["0", "-1", "2147483648", "9" * 30])
def test_a_number_that_no_version_has_is_not_found(text: str) -> None:
    """Not an error of the database, and not another answer than for a missing version."""
    with pytest.raises(Refusal) as refused:
        names.version_number("m", text)
    assert refused.value.code == "RESOURCE_DOES_NOT_EXIST"
    assert refused.value.message == f"Model Version (name=m, version={int(text)}) not found"


@pytest.mark.parametrize("text", ["", "x", "1.0", "9" * 5000, "1e3"])
def test_what_is_no_number_is_refused(text: str) -> None:
    """In MLflow's words."""
    with pytest.raises(Refusal, match="Parameter 'version' must be an integer"):
        names.version_number("m", text)


def status_of(check: Callable[[str], None], text: str) -> int:
    """What a request with this text would be answered."""
    try:
        check(text)
    except Refusal as refused:
        return refused.status
    return 200


@given(st.text(max_size=30))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    """Nothing but a refusal comes out, whatever goes in."""
    checks = (names.check_model_name, names.check_tag_key, names.check_settable_alias)
    assert {status_of(check, text) for check in checks} <= {200, 400}


def test_stages_are_known_in_any_case() -> None:
    """`staging` is Staging."""
    assert [stages.canonical(stage) for stage in ("NONE", "staging", "Production", "archived")] == [
        "None",
        "Staging",
        "Production",
        "Archived",
    ]


@pytest.mark.parametrize("stage", ["", "deleted_internal", "Prod"])
def test_unknown_stages(stage: str) -> None:
    """With the list of those there are."""
    with pytest.raises(Refusal, match="must be one of None, Staging, Production, Archived"):
        stages.canonical(stage)


@pytest.mark.parametrize("stage", ["None", "archived"])
def test_archiving_needs_an_active_stage(stage: str) -> None:
    """Nothing makes room in a stage that nobody serves from."""
    with pytest.raises(Refusal, match="is not an Active stage"):
        stages.canonical_for_archiving(stage)
