"""Searches: a filter and an order turned into the fixed parameters of one static query each."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from libs.common.errors import Refusal, invalid
from libs.common.filters.clauses import written_order
from libs.common.filters.pages import Page, Value
from libs.common.filters.values import pattern, told, unquoted
from services.registry.model.filters import Condition, Vocabulary, entity_and_key, parse
from services.registry.model.names import PROMPT_TAG

MODELS: Final = Vocabulary(texts=("name",), numbers=(), lists=("name",))
VERSIONS: Final = Vocabulary(
    texts=("name", "run_id", "source_path"),
    numbers=("version_number",),
    lists=("name", "run_id"),
    times=("creation_timestamp", "last_updated_timestamp"),
)
MOST_MODELS: Final = 1_000
MOST_VERSIONS: Final = 200_000
_MODEL_ORDER: Final = {"name": "name", "timestamp": "updated", "last_updated_timestamp": "updated"}
_VERSION_ORDER: Final = {
    "name": "name",
    "version_number": "number",
    "creation_timestamp": "created",
    "last_updated_timestamp": "updated",
}
Row = TypeVar("Row")
_INT64: Final = 2**63 - 1


@dataclass(slots=True)
class TextMatch:
    """What a text must satisfy; `any_of` None leaves it free, empty lists ask for nothing."""

    any_of: list[str] | None = None
    none_of: list[str] = field(default_factory=list)
    like: list[str] = field(default_factory=list)
    ilike: list[str] = field(default_factory=list)

    def add(self, condition: Condition) -> None:
        """Narrow by one more condition."""
        value = condition.value
        texts = list(value) if isinstance(value, tuple) else [str(value)]
        if condition.comparator in ("=", "IN"):
            held = texts if self.any_of is None else self.any_of
            self.any_of = [text for text in held if text in texts]
        elif condition.comparator in ("!=", "NOT IN"):
            self.none_of += texts
        elif condition.comparator == "LIKE":
            self.like += map(pattern, texts)
        else:
            self.ilike += map(pattern, texts)


@dataclass(slots=True)
class NumberMatch:
    """What a number must satisfy: at least, at most, and what it must not be."""

    least: int = -_INT64
    most: int = _INT64
    none_of: list[int] = field(default_factory=list)

    def add(self, condition: Condition) -> None:
        """Narrow by one more condition."""
        value = max(-_INT64 + 1, min(int(str(condition.value)), _INT64 - 1))
        if condition.comparator == "!=":
            self.none_of.append(value)
        if condition.comparator in ("=", ">", ">="):
            self.least = max(self.least, value + (condition.comparator == ">"))
        if condition.comparator in ("=", "<", "<="):
            self.most = min(self.most, value - (condition.comparator == "<"))


@dataclass(slots=True)
class TagMatch:
    """Comparisons of tags as parallel lists: all must hold, so each tag must be there."""

    keys: list[str] = field(default_factory=list)
    comparators: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)

    def add(self, condition: Condition) -> None:
        """Narrow by one more condition."""
        value = str(condition.value)
        self.keys.append(condition.key)
        self.comparators.append(condition.comparator)
        self.values.append(pattern(value) if condition.comparator in ("LIKE", "ILIKE") else value)


@dataclass(slots=True)
class Search:
    """One search: what to match, whether among prompts, in which order, and which page.

    `order` holds (column, 1 or -1) pairs, most significant first; at most `size` rows, those after
    the row that `page` names. `query` is what its page tokens belong to.
    """

    texts: dict[str, TextMatch]
    number: NumberMatch
    tags: TagMatch
    prompts: bool
    order: list[tuple[str, int]]
    size: int
    page: Page
    query: list[object]

    def around_name(self) -> tuple[list[tuple[str, int]], bool, list[tuple[str, int]]]:
        """The order as (columns before the name, whether names descend, columns after it).

        A name that was not asked for comes last, ascending, as names break ties.
        """
        place = next((i for i, (column, _) in enumerate(self.order) if column == "name"), None)
        if place is None:
            return self.order, False, []
        return self.order[:place], self.order[place][1] < 0, self.order[place + 1 :]

    def after(self, kinds: Sequence[type[Value]]) -> Sequence[Value | None]:
        """The sort values of the row before the page; None each where there is none."""
        return self.page.after(self.query, kinds) or [None] * len(kinds)

    def next_token(
        self, rows: Sequence[Row], after: Callable[[Row], Sequence[Value]]
    ) -> str | None:
        """The token of the next page, where a row more than the page was found.

        `after` gives the sort values of a row.
        """
        if len(rows) <= self.size or self.size == 0:
            return None
        return self.page.next(self.query, after(rows[self.size - 1]))


def model_search(filter_text: str, order_by: Sequence[str], max_results: int, page: Page) -> Search:
    """A search of registered models, or a refusal where MLflow has one."""
    if max_results > MOST_MODELS:
        raise _unfit_page(max_results)
    if max_results < 0:
        raise _not_positive(max_results)
    order = _order(order_by, _MODEL_ORDER, _model_key)
    return _search(MODELS, parse(filter_text, MODELS), order, max_results, page)


def version_search(
    filter_text: str, order_by: Sequence[str], max_results: int, page: Page
) -> Search:
    """A search of model versions, or a refusal where MLflow has one."""
    if max_results > MOST_VERSIONS:
        raise _unfit_page(max_results)
    if max_results < 1:
        raise _not_positive(max_results)
    default = ("last_updated_timestamp DESC", "name ASC", "version_number DESC")
    order = _order(order_by or default, _VERSION_ORDER, _version_key)
    return _search(VERSIONS, parse(filter_text, VERSIONS), order, max_results, page)


def _search(
    vocabulary: Vocabulary,
    conditions: list[Condition],
    order: list[tuple[str, int]],
    size: int,
    page: Page,
) -> Search:
    search = Search(
        texts={key: TextMatch() for key in vocabulary.texts},
        number=NumberMatch(),
        tags=TagMatch(),
        prompts=_asks_for_prompts(conditions),
        order=order,
        size=size,
        page=page,
        query=[vocabulary, conditions, order],
    )
    for condition in conditions:
        if condition.kind == "attribute":
            matches = search.texts.get(condition.key, search.number)
            matches.add(condition)
        elif search.prompts or condition.key != PROMPT_TAG:
            # Models never carry the prompt tag, so a search for models is not asked about it.
            search.tags.add(condition)
    return search


def _asks_for_prompts(conditions: Iterable[Condition]) -> bool:
    """Whether the filter names the prompt tag so that it means prompts; else they stay hidden."""
    for condition in conditions:
        if condition.kind == "tag" and condition.key == PROMPT_TAG:
            asked = (condition.comparator, str(condition.value).lower())
            return asked in (("=", "true"), ("!=", "false"))
    return False


def _order(
    clauses: Sequence[str],
    columns: Mapping[str, str],
    named: Callable[[str, Mapping[str, str]], str],
) -> list[tuple[str, int]]:
    order: list[tuple[str, int]] = []
    for clause in clauses:
        identifier, ascending = written_order(clause)
        column = columns[named(identifier, columns)]
        if any(column == other for other, _ in order):
            raise invalid(f"`order_by` contains duplicate fields: {list(clauses)}")
        order.append((column, 1 if ascending else -1))
    return order


def _model_key(identifier: str, columns: Mapping[str, str]) -> str:
    if identifier not in columns:
        # MLflow keeps quiet about one of two names for the same time.
        valid = told(key for key in columns if key != "last_updated_timestamp")
        raise invalid(f"Invalid order by key '{identifier}' specified. Valid keys are '{valid}'")
    return identifier


def _version_key(identifier: str, columns: Mapping[str, str]) -> str:
    kind, key = entity_and_key(identifier)
    key = unquoted(key)
    if key in columns:
        return key
    if kind == "attribute":
        raise invalid(f"Invalid attribute key '{key}' specified. Valid keys are '{told(columns)}'")
    raise invalid(f"Invalid order by key '{key}' specified. Valid keys are {told(columns)}")


def _unfit_page(max_results: int) -> Refusal:
    return invalid(
        f"Invalid value \"{max_results}\" for parameter 'max_results' supplied:  Hint: Value was of"
        " type 'str'. See the API docs for more information about request parameters."
    )


def _not_positive(max_results: int) -> Refusal:
    return invalid(
        f"Invalid value for max_results. It must be a positive integer, but got {max_results}"
    )
