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
    # Both answer with the same status.
    same_status: bool = False
    # It may be met by no case.
    may_vanish: bool = False

    def fits(self, outcome: Outcome) -> bool:
        """Whether the case differs in this way."""
        return (
            re.fullmatch(self.operations, outcome.operation) is not None
            and re.fullmatch(self.cases, outcome.case) is not None
            and self.theirs(outcome.theirs)
            and self.ours(outcome.ours)
            and (not self.same_status or outcome.theirs["status"] == outcome.ours["status"])
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


def _invalid(start: str) -> Callable[[Any], bool]:
    return lambda answer: (
        _code("INVALID_PARAMETER_VALUE")(answer) and answer["body"]["message"].startswith(start)
    )


def _refused_search(answer: Any) -> bool:
    about = re.compile(
        "filter|order_by|page token|comparator|comparison|attribute|clause|quoted string",
        re.IGNORECASE,
    )
    return _code("INVALID_PARAMETER_VALUE")(answer) and bool(
        about.search(answer["body"]["message"])
    )


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
    Wanted(
        "JSON in place of HTML pages",
        "A path or method that nobody serves is an HTML page in MLflow. We answer the same status in"
        " MLflow's JSON form, which its client can read.",
        _html,
        _code("ENDPOINT_NOT_FOUND", "BAD_REQUEST"),
        same_status=True,
    ),
    Wanted(
        "HEAD of /health",
        "MLflow names another content type for HEAD than for GET.",
        _status(200),
        _status(200),
        operations="GET /health",
        cases="by HEAD",
    ),
    Wanted(
        "What this server can do",
        "server-info tells of this server: workspaces are there, an AI gateway is not, and transfers"
        " that go past the server depend on its store.",
        _status(200),
        _status(200),
        operations="GET 3.0/mlflow/server-info",
    ),
    Wanted(
        "Numbers that are not between quotes",
        "MLflow stops reading at a bare NaN or Infinity, answers 200, and stores a zero at step 0. We"
        " read it as what it says and store the point.",
        _status(200),
        _status(200),
        operations=r"POST 2.0/mlflow/runs/log-(metric|batch)",
        cases="bare .*",
    ),
    Wanted(
        "Valid JSON for not-a-number",
        "MLflow's bulk history writes a bare NaN, which is no JSON and which browsers refuse. We write"
        ' "NaN" as all other answers do.',
        _status(200),
        _status(200),
        operations="GET 2.0/mlflow/metrics/get-history-bulk",
        cases="odd numbers",
    ),
    Wanted(
        "Paths that try to climb",
        "A path with `.`, `..`, a drive or a NUL in it is refused before anything looks it up. MLflow"
        " looks for it, or cuts it at the NUL and answers about another path.",
        _any,
        _invalid("Invalid path"),
        cases=r".*(\.\.|%00|\./|C:).*",
    ),
    Wanted(
        "A place for artifacts of the client's choice",
        "MLflow lets a client name any place for an experiment's artifacts, and serves what lies"
        " there. Ours lie where the platform keeps a tenant's artifacts; with workspaces MLflow"
        " refuses it too.",
        _any,
        _invalid("artifact_location cannot be specified"),
        operations="POST 2.0/mlflow/experiments/create",
        cases="artifact_location .*",
    ),
    Wanted(
        "Artifacts lie under what exists",
        "MLflow stores any bytes at any path, of runs that are deleted or that nobody has. We store"
        " only below the artifact URI of a live run or logged model: permission is asked of it, and"
        " nothing else would ever free the bytes.",
        _status(200),
        _status(400, 404),
        operations="((PUT|DELETE) 2.0/mlflow-artifacts/artifacts/{artifact_path}"
        "|POST 2.0/mlflow/upload-artifact)",
        cases="(of an? .* run|beside the runs|a deleted run)",
    ),
    Wanted(
        "A folder in place of a file",
        'MLflow\'s download of a folder answers `{"detail": …}`, which its client cannot read, or'
        " tells of the folder where we tell of the `/` at the end. We answer in MLflow's error form.",
        _status(400),
        _code("INVALID_PARAMETER_VALUE"),
        operations="GET (2.0/mlflow-artifacts/artifacts/{artifact_path}|/get-artifact)",
        cases="path 'data/?'",
    ),
    Wanted(
        "Transfers that this store can do",
        "MLflow on a local folder refuses multipart and presigned transfers. What we answer follows"
        " from our store.",
        _status(400, 404, 500, 501),
        _status(200, 400, 404, 501),
        operations=".*(mpu|presigned).*",
        may_vanish=True,
    ),
    Wanted(
        "A page of less than nothing",
        "MLflow answers a page of -1 logged models with no model and the token of another such page,"
        " without end. We refuse it in the words of the other searches.",
        _status(200),
        _invalid("Invalid value -1 for parameter 'max_results'"),
        operations="POST 2.0/mlflow/logged-models/search",
    ),
    Wanted(
        "A dataset without a digest",
        "MLflow's documentation says that the digest is optional; its server then looks for points"
        " whose digest is unset and finds none. We look for any dataset of that name.",
        _status(200),
        _status(200),
        operations="POST 2.0/mlflow/logged-models/search",
        cases="a dataset",
    ),
    Wanted(
        "Words about a wrong filter, order or page token",
        "Both refuse with the same status and code. MLflow's words come from its parser's inside, some"
        " show a set of Python in a random order; and page tokens are opaque.",
        _refused_search,
        _refused_search,
        operations=".*(search|get-history)",
        same_status=True,
        may_vanish=True,
    ),
)
