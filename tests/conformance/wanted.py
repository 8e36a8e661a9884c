"""The differences from `mlflow server` that are wanted, each with what it is about and why.

A case that differs must fit one of them, and each of them must be met by a case: one that no case
shows any more is out of date and fails the test as well.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.conformance.running import Outcome

SQL: Final = re.compile(r"\(psycopg2\.|\(raised as a result of Query-invoked autoflush")


@dataclass(frozen=True)
class Wanted:
    """Where we answer otherwise on purpose: in which operations and cases, and both answers."""

    name: str
    why: str
    theirs: Callable[[Any], bool]
    ours: Callable[[Any], bool]
    operations: str = ".*"
    cases: str = ".*"
    # It may be met by no case.
    may_vanish: bool = False

    def fits(self, outcome: Outcome) -> bool:
        """Whether the case differs in this way."""
        return (
            re.fullmatch(self.operations, outcome.operation) is not None
            and re.fullmatch(self.cases, outcome.case) is not None
            and self.theirs(outcome.theirs)
            and self.ours(outcome.ours)
        )


def judged(outcome: Outcome) -> Wanted | None:
    """The wanted difference that a case shows, None for one that nobody wants."""
    return next((wanted for wanted in WANTED if wanted.fits(outcome)), None)


def _status(*statuses: int) -> Callable[[Any], bool]:
    return lambda answer: answer["status"] in statuses


def _code(*codes: str) -> Callable[[Any], bool]:
    return lambda answer: (
        isinstance(answer["body"], dict) and answer["body"].get("error_code") in codes
    )


def _sql(answer: Any) -> bool:
    return isinstance(answer["body"], dict) and bool(SQL.search(str(answer["body"].get("message"))))


def _html(answer: Any) -> bool:
    return str(answer["type"]).startswith("text/html")


def _any(_: Any) -> bool:
    return True


WANTED: Final = (
    Wanted(
        "MLflow falls over, we refuse",
        "MLflow answers 500 to a request that can never be served: an HTML page, INTERNAL_ERROR, or"
        " INVALID_STATE. Clients try a 500 again for minutes, and it says nothing. We answer 400 or"
        " 404 in MLflow's form, with the words MLflow has for a wrong value where it has any.",
        _status(500),
        _code("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"),
    ),
    Wanted(
        "MLflow falls over, we do what was asked",
        "The same 500s where the request can be served: a null list in a batch, a limit that is null"
        " or written as `1e3`.",
        _status(500),
        _status(200),
    ),
    Wanted(
        "MLflow shows SQL, we say what is wrong",
        "MLflow lets its database refuse and answers with the statement and its parameters. We answer"
        " with the same status or 404, without SQL, and name what is wrong.",
        _sql,
        _status(400, 404),
    ),
    Wanted(
        "MLflow's columns are narrow, we take it",
        "MLflow checks for its own, longer limits, and its columns on PostgreSQL refuse what its"
        " SQLite takes (a name over 250, a tag over 8,000 characters); or a row is there already and a"
        " client's retry of what has succeeded fails. We take what MLflow's limits allow, cut what"
        " MLflow cuts, and a repeated write is a success.",
        _sql,
        _status(200),
    ),
)
