"""Limits of names and values, and the words in which MLflow refuses what passes them."""

import json
import posixpath
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from libs.common.errors import Refusal, invalid

KEY_LENGTH: Final = 250
PARAM_VALUE_LENGTH: Final = 6_000
TAG_VALUE_LENGTH: Final = 8_000
EXPERIMENT_NAME_LENGTH: Final = 500
EXPERIMENT_TAG_VALUE_LENGTH: Final = 20_000
USER_ID_LENGTH: Final = 256
MODEL_ID_LENGTH: Final = 250
METRICS_A_BATCH: Final = 1_000
PARAMS_OR_TAGS_A_BATCH: Final = 100
ENTRIES_A_BATCH: Final = 1_000

_NAME: Final = re.compile(r"^[/\w.\- :]*$")
_RUN_ID: Final = re.compile(r"^[a-zA-Z0-9][\w\-]{0,255}$")


def unfit(path: str, value: object, why: str = "") -> Refusal:
    """The refusal of a value; `path` names it as the caller wrote it (`metrics[3].timestamp`)."""
    shown = json.dumps(value, sort_keys=True, separators=(",", ":"))
    end = f": {why}" if why else "."
    return invalid(f"Invalid value {shown} for parameter '{path}' supplied{end}")


def too_long(name: str, limit: int) -> Refusal:
    """The refusal of a text over its limit of characters."""
    return invalid(f"'{name}' exceeds the maximum length of {limit} characters")


def check_length(name: str, limit: int, value: str) -> None:
    """Refuse a text of more than `limit` characters."""
    if len(value) > limit:
        raise too_long(name, limit)


def check_name(name: str, path: str) -> None:
    """Refuse a metric, param or tag name that MLflow could not take for a relative file path."""
    if why := fault_of_name(name):
        raise unfit(path, name, why)


def check_run_id_form(run_id: str) -> None:
    """Refuse what no run of any MLflow server could be called."""
    if not _RUN_ID.match(run_id):
        raise unfit("run_id", run_id)


def param(key: str, value: str, path: str = "key") -> tuple[str, str]:
    """A param as it is stored; a long value is cut, as MLflow does."""
    check_name(key, path)
    check_length("Param key", KEY_LENGTH, key)
    return key, value[:PARAM_VALUE_LENGTH]


def tag(key: str, value: str, path: str = "key") -> tuple[str, str]:
    """A run's tag as it is stored; a long value is cut, as MLflow does."""
    check_name(key, path)
    check_length(path, KEY_LENGTH, key)
    return key, value[:TAG_VALUE_LENGTH]


def experiment_tag(key: str, value: str) -> tuple[str, str]:
    """An experiment's tag as it is stored; a long value is refused, as MLflow does."""
    check_name(key, "key")
    check_length("key", KEY_LENGTH, key)
    check_length("value", EXPERIMENT_TAG_VALUE_LENGTH, value)
    return key, value


def check_experiment_name(name: str) -> None:
    """Refuse an empty name and one that is too long."""
    if not name:
        raise invalid(f"Invalid experiment name: '{name}'")
    check_length("name", EXPERIMENT_NAME_LENGTH, name)


def check_batch(metrics: int, params: int, tags: int) -> None:
    """Refuse a batch of more entries than one request may carry."""
    _check_count("metrics", METRICS_A_BATCH, metrics)
    _check_count("params", PARAMS_OR_TAGS_A_BATCH, params)
    _check_count("tags", PARAMS_OR_TAGS_A_BATCH, tags)
    _check_count("metrics, params, and tags", ENTRIES_A_BATCH, metrics + params + tags)


def check_param_keys(keys: Sequence[str]) -> None:
    """Refuse a batch that gives one param twice, even with the same value."""
    if len(set(keys)) == len(keys):
        return
    doubled = [key for position, key in enumerate(keys) if key in keys[:position]]
    raise invalid(
        f"Duplicate parameter keys have been submitted: {doubled}. Please ensure the request"
        " contains only one param value per param key."
    )


# A training run sends the same few names a million times.
@lru_cache(maxsize=10_000)
def fault_of_name(name: str) -> str:
    """Why a metric, param or tag may not be called that; empty where it may."""
    if not _NAME.match(name):
        return (
            "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.),"
            " spaces ( ), colon(:) and slashes (/)."
        )
    plain = posixpath.normpath(name)
    if plain != name or plain == "." or plain.startswith(("..", "/")):
        return (
            "Names may be treated as files in certain cases, and must not resolve to other names"
            f" when treated as such. This name would resolve to {plain!r}"
        )
    return ""


def _check_count(entries: str, limit: int, count: int) -> None:
    if count > limit:
        raise invalid(
            f"A batch logging request can contain at most {limit} {entries}. Got {count} {entries}."
            f" Please split up {entries} across multiple requests and try again."
        )
