"""What `mlflow` itself makes of a filter or an order: its meaning, its refusal, or its failure."""

import re
import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, Final

from mlflow.exceptions import MlflowException
from mlflow.utils import search_logged_model_utils, search_utils
from sqlparse.lexer import Lexer
from sqlparse.tokens import Name

from libs.common.filters.tokens import KEYWORDS
from services.tracking.model.logged_models import STATUSES, WIRE_STATUSES

Meaning = list[tuple[str, str, str, Any]]
# A failure of MLflow's, which it answers with 500.
CRASH: Final = "crash"
RUNS: Final[Any] = search_utils.SearchUtils
EXPERIMENTS: Final[Any] = search_utils.SearchExperimentsUtils
MODELS: Final[Any] = search_utils.SearchModelUtils
VERSIONS: Final[Any] = search_utils.SearchModelVersionUtils
LOGGED_MODELS: Final[Any] = search_logged_model_utils
SQL: Final[Any] = Lexer.get_default_instance()  # type: ignore[no-untyped-call]


@cache
def _store(module: str, name: str) -> Any:
    """A part of MLflow's stores, imported in spite of its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(import_module(module), name)


def asked(read: Callable[[str], Any], text: str) -> Any:
    """What MLflow reads, its refusal's message, or CRASH."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read(text)
        except MlflowException as refusal:
            return str(refusal.message)
        except Exception:  # noqa: BLE001 - whatever it fails with
            return CRASH


def runs(text: str) -> Meaning:
    """A filter over runs, as the store takes it."""
    found: Meaning = []
    for clause in RUNS.parse_search_filter(text):
        kind, key, value = clause["type"], clause["key"], clause["value"]
        comparator = clause["comparator"].upper()
        # MLflow also looks for `start_time` where a param is called `created`; we do not.
        key = RUNS.translate_key_alias(key) if kind == "attribute" else key
        known = (
            RUNS.is_string_attribute(kind, key, comparator)
            or RUNS.is_numeric_attribute(kind, key, comparator)
            or RUNS.is_metric(kind, comparator)
            or RUNS.is_param(kind, comparator)
            or RUNS.is_tag(kind, comparator)
            or RUNS.is_dataset(kind, comparator)
        )
        assert known
        found.append((kind, key, comparator, float(value) if kind == "metric" else value))
    return _fit_for_sql(found)


def experiments(text: str) -> Meaning:
    """A filter over experiments, as the store takes it."""
    parsed = EXPERIMENTS.parse_search_filter(text)
    last_check = _store(
        "mlflow.store.tracking.sqlalchemy_store", "_get_search_experiments_filter_clauses"
    )
    last_check(parsed, "sqlite")
    found: Meaning = []
    for clause in parsed:
        value = clause["value"]
        if clause["key"] == "experiment_id" and clause["type"] == "attribute":
            value = (
                tuple(map(str, map(int, value))) if isinstance(value, tuple) else str(int(value))
            )
        found.append((clause["type"], clause["key"], clause["comparator"], value))
    return _fit_for_sql(found)


def logged_models(text: str) -> Meaning:
    """A filter over logged models, as the store takes it."""
    columns = _store("mlflow.store.tracking.dbmodels.models", "SqlLoggedModel").__table__.columns
    found: Meaning = []
    for comparison in LOGGED_MODELS.parse_filter_string(text):
        kind, key = comparison.entity.type.value, comparison.entity.key
        if kind == "attributes":
            # The store looks the column up, and fails where there is none.
            assert key in columns
        value = comparison.value
        if isinstance(value, tuple) and key in ("status", "experiment_id"):
            assert not any(isinstance(item, bool) for item in value)
            value = tuple(map(str, value))
        if kind == "attributes" and key == "status":
            value = value if "LIKE" in comparison.op else _with_names(value)
        found.append((kind, key, comparison.op, value))
    return _fit_for_sql(found)


def _with_names(value: Any) -> Any:
    """Numbers and short names of statuses as our answers name them."""
    if isinstance(value, tuple):
        return tuple(map(_with_names, value))
    if value in STATUSES:
        return WIRE_STATUSES[STATUSES.index(value)]
    return WIRE_STATUSES[int(value)] if value in ("0", "1", "2", "3") else value


def models(text: str) -> Meaning:
    """A filter over registered models, as the store takes it."""
    return _registry(MODELS, text)


def versions(text: str) -> Meaning:
    """A filter over model versions, as the store takes it."""
    return _registry(VERSIONS, text)


def _registry(parser: Any, text: str) -> Meaning:
    parsed = parser.parse_search_filter(text)
    name = "SqlAlchemyStore"
    store = object.__new__(_store("mlflow.store.model_registry.sqlalchemy_store", name))
    store._get_workspace_clauses = lambda _model: []
    if parser is MODELS:
        store._get_search_registered_model_filter_query(None, parsed, "sqlite")
    else:
        store._get_search_model_versions_filter_clauses(parsed, "sqlite")
    found: Meaning = []
    for clause in parsed:
        value = clause["value"]
        if clause["key"] == "version_number" and clause["type"] == "attribute":
            value = int(value)
        found.append((clause["type"], clause["key"], clause["comparator"], value))
    return _fit_for_sql(found)


def _fit_for_sql(meaning: Meaning) -> Meaning:
    """The meaning, unless a list stands where its database wants a text, or no text stands in it."""
    for _, _, comparator, value in meaning:
        assert isinstance(value, str | int | float | tuple | None)
        assert isinstance(value, tuple) == (comparator in ("IN", "NOT IN"))
        assert not isinstance(value, tuple) or all(isinstance(item, str) for item in value)
    return meaning


def run_order(text: str) -> tuple[str, str, bool]:
    """An order of runs."""
    kind, key, ascending = RUNS.parse_order_by_for_search_runs(text)
    # The store refuses it.
    assert kind != "dataset"
    return kind, RUNS.translate_key_alias(key) if kind == "attribute" else key, ascending


def experiment_order(text: str) -> tuple[str, str, bool]:
    """An order of experiments."""
    kind, key, ascending = EXPERIMENTS.parse_order_by_for_search_experiments(text)
    if kind != "attribute":
        raise MlflowException(f"Invalid order_by entity: {kind}")
    return kind, key, ascending


def model_order(text: str) -> tuple[str, bool]:
    """An order of registered models."""
    key, ascending = RUNS.parse_order_by_for_search_registered_models(text)
    return key, ascending


def version_order(text: str) -> tuple[str, bool]:
    """An order of model versions."""
    _, key, ascending = VERSIONS.parse_order_by_for_search_model_versions(text)
    if key not in VERSIONS.VALID_ORDER_BY_ATTRIBUTE_KEYS:
        valid = VERSIONS.VALID_ORDER_BY_ATTRIBUTE_KEYS
        raise MlflowException(f"Invalid order by key '{key}' specified. Valid keys are {valid}")
    return key, ascending


_WORD: Final = re.compile(r"\w+")
_SET: Final = re.compile(r"\{([^{}]*)\}")


def names_sql(text: str) -> bool:
    """Whether a word of SQL stands in it that MLflow's parser knows and ours takes for a name."""
    words = _WORD.findall(text)
    return any(SQL.is_keyword(word)[0] != Name and word.upper() not in KEYWORDS for word in words)


def same_words(message: str) -> str:
    """A message with what MLflow tells as a set in one order."""
    return _SET.sub(lambda found: "{" + ", ".join(sorted(found[1].split(", "))) + "}", message)
