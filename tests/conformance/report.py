"""The comparison as a page: a row for each operation, and the differences that are wanted."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from tests.conformance.cases import Operation
from tests.conformance.comparison import MASKED, UNORDERED
from tests.conformance.running import Outcome
from tests.conformance.wanted import WANTED, Wanted, judged

PAGE: Final = Path(__file__).parents[2] / "docs" / "conformance.md"
_HEAD: Final = """# Conformance

Every operation of MLflow's tracking API, answered by `mlflow server` 3.17.2 and by this platform
through its gateway, side by side on the same requests: good ones, each field missing, of wrong
types, at its limit and over it, unknown ids, deleted and repeated things, and everything that
MLflow's tolerant reader takes. Compared are status, content type and body, the words of errors and
the order of lists included. This page is written by `python -m tests.conformance --write`;
`tests/conformance` fails when an operation differs in a way that is not listed below, when a
listed difference is no longer there, and when this page is out of date.

"""
_MASKS: Final = """
## What is not compared

Ids that a server gives are compared by what they stand for: the same thing must be the same thing
in all answers. Names that a server makes up for runs and models count as the same. Besides:

"""


def page(operations: Sequence[Operation], outcomes: Sequence[Outcome]) -> str:
    """The whole page."""
    return _HEAD + "".join([*_table(operations, outcomes), *_differences(outcomes), *_masks()])


def unlisted(outcomes: Iterable[Outcome]) -> list[str]:
    """The cases that differ in a way that nobody wants, each with what differs."""
    return [
        f"{found.operation} | {found.case}\n    " + "\n    ".join(found.different)
        for found in outcomes
        if found.different and judged(found) is None
    ]


def met(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    """The cases that show each wanted difference, by its name."""
    found: dict[str, list[Outcome]] = {wanted.name: [] for wanted in WANTED}
    for outcome in outcomes:
        wanted = judged(outcome) if outcome.different else None
        if wanted is not None:
            found[wanted.name].append(outcome)
    return found


def _table(operations: Sequence[Operation], outcomes: Sequence[Outcome]) -> Iterable[str]:
    cases = Counter(found.operation for found in outcomes)
    equal = Counter(found.operation for found in outcomes if not found.different)
    yield "| operation | cases | equal | wanted differences |\n|---|---|---|---|\n"
    section = ""
    for operation in operations:
        if operation.section != section:
            section = operation.section
            yield f"| **{section}** | | | |\n"
        name, count = operation.name, cases[operation.name]
        yield f"| {name} | {count} | {equal[name]} | {count - equal[name] or '–'} |\n"
    total, same = sum(cases.values()), sum(equal.values())
    yield f"| **all {len(operations)}** | **{total:,}** | **{same:,}** | **{total - same}** |\n"


def _differences(outcomes: Sequence[Outcome]) -> Iterable[str]:
    yield "\n## Wanted differences\n"
    shown = met(outcomes)
    for wanted in WANTED:
        if shown[wanted.name]:
            yield from _difference(wanted, shown[wanted.name])


def _difference(wanted: Wanted, shown: Sequence[Outcome]) -> Iterable[str]:
    where = Counter(found.operation for found in shown)
    first = shown[0]
    yield f"\n### {wanted.name}\n\n{wanted.why}\n\n"
    yield (
        f"{len(shown)} case{'' if len(shown) == 1 else 's'}. One is `{first.operation}`, *{first.case}*:"
        f" MLflow {_said(first.theirs)}, we {_said(first.ours)}."
    )
    named = ", ".join(f"`{name}` {count}" for name, count in where.items())
    yield f" All of them: {named}.\n"


def _said(answer: Any) -> str:
    code = answer["body"].get("error_code", "") if isinstance(answer["body"], dict) else ""
    return f"{answer['status']} {code}".strip()


def _masks() -> Iterable[str]:
    yield _MASKS
    yield "| field | why |\n|---|---|\n"
    for name, why in MASKED.items():
        yield f"| `{name}` | {why} |\n"
    yield "\nCompared without their order, because MLflow's database gives them in any:\n\n"
    for path, why in UNORDERED.items():
        yield f"- `{path}`: {why}\n"
