"""What models, versions, tags and aliases may be called, in the words MLflow refuses others with."""

import json
import posixpath
import re
from collections.abc import Iterable
from typing import Final, Protocol

from libs.common.errors import Refusal, invalid, missing

MAX_NAME: Final = 256
MAX_TAG_KEY: Final = 250
MAX_TAG_VALUE: Final = 100_000
MAX_ALIAS: Final = 255
MAX_NUMBER: Final = 2**31 - 1
LATEST: Final = "latest"
PROMPT_TAG: Final = "mlflow.prompt.is_prompt"
PROMPT_TEXT_TAG: Final = "mlflow.prompt.text"

_KEY: Final = re.compile(r"[/\w.\- :]*")
_ALIAS: Final = re.compile(r"[\w\-]*")
_VERSION_ALIAS: Final = re.compile(r"[vV]\d+")


class TagGiven(Protocol):
    """A tag as a request brings it; unset parts are empty."""

    @property
    def key(self) -> str: ...
    @property
    def value(self) -> str: ...


def check_model_name(name: str) -> None:
    """Refuse a name that no registered model can have."""
    if not name.strip():
        raise invalid("Missing value for required parameter 'name'.")
    if "/" in name or ":" in name:
        raise invalid(f"Invalid model name '{name}'. Names cannot contain '/' or ':'.")
    _check_path(name, "name")
    _check_length("name", MAX_NAME, name)


def check_new_name(name: str) -> None:
    """Refuse a name that no model can be renamed to."""
    if not name.strip():
        raise invalid("Missing value for required parameter 'new_name'.")
    check_model_name(name)


def check_tag_key(key: str) -> None:
    """Refuse a key that no tag can have."""
    if not _KEY.fullmatch(key):
        raise invalid(
            f"Invalid value {_quoted(key)} for parameter 'key' supplied: Names may only contain"
            " alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and"
            " slashes (/)."
        )
    _check_path(key, "key")


def check_tag(tag: TagGiven) -> None:
    """Refuse a tag that cannot be stored."""
    check_tag_key(tag.key)
    _check_length("key", MAX_TAG_KEY, tag.key)
    if tag.key == PROMPT_TEXT_TAG and len(tag.value) > MAX_TAG_VALUE:
        raise invalid(f"Prompt text exceeds max length of {MAX_TAG_VALUE} characters.")
    _check_length("value", MAX_TAG_VALUE, tag.value)


def tags_of(given: Iterable[TagGiven]) -> dict[str, str]:
    """The tags of a request, checked; of several with one key the last counts."""
    tags: dict[str, str] = {}
    for tag in given:
        check_tag(tag)
        tags[tag.key] = tag.value
    return tags


def check_alias(alias: str) -> None:
    """Refuse a text that no alias can be."""
    if not alias:
        raise invalid("Registered model alias name cannot be empty.")
    if not _ALIAS.fullmatch(alias):
        raise invalid(
            f"Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores"
            " (_), and dashes (-)."
        )
    _check_length("Registered model alias name", MAX_ALIAS, alias)


def check_settable_alias(alias: str) -> None:
    """Refuse an alias that stands for something of its own: `latest`, and `v<digits>`."""
    check_alias(alias)
    if alias.lower() == LATEST:
        raise invalid("'latest' alias name (case insensitive) is reserved.")
    if _VERSION_ALIAS.fullmatch(alias):
        raise invalid(f"Version alias name '{alias}' is reserved.")


def version_number(name: str, text: str) -> int:
    """The number in a request's `version`; one that no version can have reads as not found."""
    check_model_name(name)
    try:
        number = int(text)
    except ValueError:
        raise invalid(f"Parameter 'version' must be an integer, got '{text}'.") from None
    if not 0 < number <= MAX_NUMBER:
        raise version_missing(name, number)
    return number


def model_missing(name: str) -> Refusal:
    """No model of this name, or none for this caller."""
    return missing(f"Registered Model with name={name} not found")


def version_missing(name: str, number: int) -> Refusal:
    """No such version, or none for this caller."""
    return missing(f"Model Version (name={name}, version={number}) not found")


def is_prompt(tags: dict[str, str]) -> bool:
    """Whether something with these tags is a prompt, stored here as a model is."""
    return tags.get(PROMPT_TAG, "").lower() == "true"


def _check_path(name: str, parameter: str) -> None:
    norm = posixpath.normpath(name)
    if norm != name or norm == "." or norm.startswith(("..", "/")):
        raise invalid(
            f"Invalid value {_quoted(name)} for parameter '{parameter}' supplied: Names may be"
            " treated as files in certain cases, and must not resolve to other names when treated"
            f" as such. This name would resolve to {norm!r}"
        )


def _check_length(parameter: str, limit: int, value: str) -> None:
    if len(value) > limit:
        raise invalid(f"'{parameter}' exceeds the maximum length of {limit} characters")


def _quoted(value: str) -> str:
    return json.dumps(value)
