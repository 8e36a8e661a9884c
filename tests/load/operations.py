"""The five measured operations: their requests as the stock client sends them, and their checks."""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.load.content import METRICS, PARAM_VALUES, PARAMS, TAGS, Corpus
from tests.load.generator import Workload

PAGE: Final = 100
BATCH: Final = 100
BATCH_KEYS: Final = 10
API: Final = "/api/2.0/mlflow"
# Steps have a fixed width, so that a request's length is known before they are.
_FIRST_STEP: Final = 1_000_000
_STEP_MARK: Final = b"7777777"
_TIME: Final = 1_700_000_000_000
_FULL_CHECK_EVERY: Final = 8


@dataclass
class Site:
    """A server under load: where it is, what it wants to see, and what was put into it."""

    host: str
    port: int
    token: str = ""
    metric_runs: list[str] = field(default_factory=list)
    batch_runs: list[str] = field(default_factory=list)
    corpus_runs: list[str] = field(default_factory=list)
    experiments: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, int]:
        """Where to connect."""
        return self.host, self.port

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """A whole request below the API's prefix, with the headers of the stock client."""
        lines = [
            f"{method} {API}/{path} HTTP/1.1",
            f"Host: {self.host}:{self.port}",
            "User-Agent: mlflow-python-client/3.17.2",
            "Accept: */*",
            "Connection: keep-alive",
        ]
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class LogMetric:
    """One point to one of 64 runs, each at a step of its own."""

    def __init__(self, site: Site, _: Corpus) -> None:
        self._requests = [
            site.request("POST", "runs/log-metric", _point(r)) for r in site.metric_runs
        ]
        self._step = _FIRST_STEP

    def request(self) -> tuple[bytes, None]:
        """The next point, to the next run."""
        self._step += 1
        request = self._requests[self._step % len(self._requests)]
        return request.replace(_STEP_MARK, b"%d" % self._step), None

    def right(self, _: None, body: bytes) -> bool:
        """Whether it was taken."""
        return body.strip() == b"{}"


def _point(run: str) -> bytes:
    point = {"run_uuid": run, "run_id": run, "key": "loss", "value": 0.123456, "timestamp": _TIME}
    return json.dumps({**point, "step": int(_STEP_MARK)}).encode()


class LogBatch:
    """A hundred points, ten of each of ten keys, to one of 64 runs."""

    def __init__(self, site: Site, _: Corpus) -> None:
        self._requests = [
            site.request("POST", "runs/log-batch", _batch(r)) for r in site.batch_runs
        ]
        self._step = _FIRST_STEP

    def request(self) -> tuple[bytes, None]:
        """The next hundred, to the next run."""
        self._step += 1
        request = self._requests[self._step % len(self._requests)]
        return request.replace(_STEP_MARK, b"%d" % self._step), None

    def right(self, _: None, body: bytes) -> bool:
        """Whether they were taken."""
        return body.strip() == b"{}"


def _batch(run: str) -> bytes:
    metrics = [
        {
            "key": f"metric_{number % BATCH_KEYS}",
            "value": number / 7,
            "timestamp": _TIME + number,
            "step": int(_STEP_MARK) * BATCH + number,
        }
        for number in range(BATCH)
    ]
    return json.dumps({"run_id": run, "metrics": metrics, "params": [], "tags": []}).encode()


class CreateRun:
    """A new run with the tags that the client sets."""

    def __init__(self, site: Site, _: Corpus) -> None:
        tags = {"user": "bench", "source.name": "train.py", "source.type": "LOCAL"}
        body = {
            "experiment_id": site.experiments["create"],
            "user_id": "bench",
            "start_time": _TIME,
            "run_name": f"run {_STEP_MARK.decode()}",
            "tags": [{"key": f"mlflow.{key}", "value": value} for key, value in tags.items()],
        }
        self._request = site.request("POST", "runs/create", json.dumps(body).encode())
        self._number = _FIRST_STEP

    def request(self) -> tuple[bytes, bytes]:
        """A run with a name of its own."""
        self._number += 1
        number = b"%d" % self._number
        return self._request.replace(_STEP_MARK, number), number

    def right(self, known: bytes, body: bytes) -> bool:
        """Whether that run was made: its name and an id are there."""
        return known in body and b'"run_id"' in body and b'"RUNNING"' in body


class GetRun:
    """Any of the prepared runs, with all that was logged into it."""

    def __init__(self, site: Site, _: Corpus) -> None:
        self._runs = [run.encode() for run in site.corpus_runs]
        self._requests = [
            site.request("GET", f"runs/get?run_uuid={run}&run_id={run}") for run in site.corpus_runs
        ]
        self._dice = random.Random(11)

    def request(self) -> tuple[bytes, bytes]:
        """One of them, all equally likely."""
        number = int(self._dice.random() * len(self._runs))
        return self._requests[number], self._runs[number]

    def right(self, known: bytes, body: bytes) -> bool:
        """Whether it is that run, whole."""
        return known in body and body.count(b'"key"') == METRICS + PARAMS + TAGS


class SearchRuns:
    """A page of the prepared runs by a metric and a param drawn anew, ordered by another metric."""

    def __init__(self, site: Site, corpus: Corpus) -> None:
        self._site = site
        self._corpus = corpus
        self._dice = random.Random(13)
        self._asked = 0

    def request(self) -> tuple[bytes, tuple[int, float, str]]:
        """A search with constants that hardly come again."""
        bound = round(self._dice.random() * 0.4, 6)
        value = f"v{self._dice.randrange(PARAM_VALUES)}"
        body = {
            "experiment_ids": [self._site.experiments["corpus"]],
            "filter": f"metrics.m1 > {bound} and params.p1 = '{value}'",
            "run_view_type": "ACTIVE_ONLY",
            "max_results": PAGE,
            "order_by": ["metrics.m2 DESC"],
        }
        self._asked += 1
        request = self._site.request("POST", "runs/search", json.dumps(body).encode())
        return request, (self._asked, bound, value)

    def right(self, known: tuple[int, float, str], body: bytes) -> bool:
        """Whether the best hit stands first; every eighth answer is counted through as well."""
        asked, bound, value = known
        best = self._corpus.best_hit(bound, value)
        if best is None:
            return b'"run_id"' not in body
        at = body.find(f'"{best.name}"'.encode(), 0, 2048)
        if at < 0 or asked % _FULL_CHECK_EVERY:
            return at >= 0
        runs = min(PAGE, self._corpus.hits(bound, value))
        return (
            body.count(b'"run_id"') == runs
            and body.count(b'"key"') == (METRICS + PARAMS + TAGS) * runs
        )


MakeWorkload = Callable[[Site, Corpus], Workload]

OPERATIONS: Final[Mapping[str, MakeWorkload]] = {
    "log-metric": LogMetric,
    "log-batch": LogBatch,
    "create-run": CreateRun,
    "get-run": GetRun,
    "search-runs": SearchRuns,
}
# What one acknowledged request of an operation leaves in the database.
ROWS_EACH: Final[Mapping[str, int]] = {"log-metric": 1, "log-batch": BATCH, "create-run": 1}
