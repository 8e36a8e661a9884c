"""Every answer is that of `mlflow server`, but for the differences that are listed."""

import pytest
import pytest_asyncio

from libs.embedded import Progress
from tests.conformance.report import PAGE, met, page, unlisted
from tests.conformance.running import Outcome, outcomes
from tests.conformance.servers import Pair
from tests.conformance.tables import operations, served_here
from tests.conformance.wanted import WANTED

FEWEST = 8


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def found(pair: Pair, progress: Progress) -> list[Outcome]:
    """How every case went; prints how many there were of each operation."""
    asked = operations()
    seen = await outcomes(pair, asked)
    for operation in asked:
        progress.say(f"  {len(operation.cases):4} cases of {operation.name}")
    return seen


@pytest.mark.slow
def test_no_answer_differs_but_as_listed(found: list[Outcome]) -> None:
    differing = unlisted(found)
    assert not differing, "\n".join(differing)


def test_each_listed_difference_is_there(found: list[Outcome]) -> None:
    shown = met(found)
    absent = [w.name for w in WANTED if not shown[w.name] and not w.may_vanish]
    assert not absent, f"out of date in tests/conformance/wanted.py: {absent}"


def test_the_page_tells_what_was_found(found: list[Outcome]) -> None:
    told = PAGE.read_text(encoding="utf-8")
    assert told == page(operations(), found), "run python -m tests.conformance --write"


def test_every_operation_of_tracking_is_compared_in_enough_cases() -> None:
    cases = {(each.method, each.path): len(each.cases) for each in operations()}
    few = {key for key in served_here() if cases.get(key, 0) < FEWEST}
    assert not few, f"give them cases in tests/conformance/tables: {few}"
