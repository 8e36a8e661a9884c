"""The measured operations: their requests as the stock client sends them, and their checks."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from tests.load.content import METRICS, PARAM_VALUES, PARAMS, TAGS, Corpus
from tests.load.generator import Workload

PAGE: Final = 100
BATCH: Final = 100
BATCH_KEYS: Final = 10
API: Final = "/api/2.0/mlflow"
# Steps have a fixed width, so that a request's length is known before they are.
_FIRST_STEP: Final = 100_000_000
_STEP_MARK: Final = b"777777777"
_TIME: Final = 1_700_000_000_000
_FULL_CHECK_EVERY: Final = 8
# Of as many requests for runs one writes into a run.
_WRITE_EVERY: Final = 10
# The history that is asked for, and from how far on it is drawn.
HISTORY_KEY: Final = "loss"
HISTORY_POINTS: Final = 100_000
SAMPLES: Final = 2000
_FIRST_STEPS: Final = 1000


@dataclass
class Site:
    """A server under load: where it is, what it wants to see, and what was put into it.

    `written` counts the rows that acknowledged requests must have left, by where they went.
    """

    host: str
    port: int
    token: str = ""
    metric_runs: list[str] = field(default_factory=list)
    batch_runs: list[str] = field(default_factory=list)
    corpus_runs: list[str] = field(default_factory=list)
    history_run: str = ""
    # A token of each tenant's own, and a run of that tenant.
    tenants: list[tuple[str, str]] = field(default_factory=list)
    experiments: dict[str, str] = field(default_factory=dict)
    written: Counter[str] = field(default_factory=Counter)
    # Each point goes to a step of its own, whoever logs it.
    steps: Iterator[int] = field(default_factory=lambda: count(_FIRST_STEP))

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

    place = "log-metric"

    def __init__(self, site: Site, _: Corpus) -> None:
        self._site = site
        self._requests = self._asked(site)

    def _asked(self, site: Site) -> list[bytes]:
        return [
            site.request("POST", "runs/log-metric", _point(r, "loss")) for r in site.metric_runs
        ]

    def request(self) -> tuple[bytes, None]:
        """The next point, to the next run."""
        step = next(self._site.steps)
        request = self._requests[step % len(self._requests)]
        return request.replace(_STEP_MARK, b"%d" % step), None

    def right(self, _: None, body: bytes) -> bool:
        """Whether it was taken."""
        taken = body.strip() == b"{}"
        self._site.written[self.place] += taken
        return taken


def _point(run: str, key: str) -> bytes:
    point = {"run_uuid": run, "run_id": run, "key": key, "value": 0.123456, "timestamp": _TIME}
    return json.dumps({**point, "step": int(_STEP_MARK)}).encode()


class LogMetricOfTenants(LogMetric):
    """The same, each run that of another tenant."""

    place = "tenants"

    def _asked(self, site: Site) -> list[bytes]:
        return [
            Site(site.host, site.port, token).request(
                "POST", "runs/log-metric", _point(run, "loss")
            )
            for token, run in site.tenants
        ]


class LogBatch:
    """A hundred points, ten of each of ten keys, to one of 64 runs."""

    def __init__(self, site: Site, _: Corpus) -> None:
        self._site = site
        self._requests = [
            site.request("POST", "runs/log-batch", _batch(r)) for r in site.batch_runs
        ]

    def request(self) -> tuple[bytes, None]:
        """The next hundred, to the next run."""
        step = next(self._site.steps)
        request = self._requests[step % len(self._requests)]
        return request.replace(_STEP_MARK, b"%d" % step), None

    def right(self, _: None, body: bytes) -> bool:
        """Whether they were taken."""
        taken = body.strip() == b"{}"
        self._site.written["log-batch"] += BATCH * taken
        return taken


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
        self._site = site
        tags = {"user": "bench", "source.name": "train.py", "source.type": "LOCAL"}
        body = {
            "experiment_id": site.experiments["create"],
            "user_id": "bench",
            "start_time": _TIME,
            "run_name": f"run {_STEP_MARK.decode()}",
            "tags": [{"key": f"mlflow.{key}", "value": value} for key, value in tags.items()],
        }
        self._request = site.request("POST", "runs/create", json.dumps(body).encode())

    def request(self) -> tuple[bytes, bytes]:
        """A run with a name of its own."""
        number = b"%d" % next(self._site.steps)
        return self._request.replace(_STEP_MARK, number), number

    def right(self, known: bytes, body: bytes) -> bool:
        """Whether that run was made: its name and an id are there."""
        made = known in body and b'"run_id"' in body and b'"RUNNING"' in body
        self._site.written["create-run"] += made
        return made


class GetRun:
    """Any of the prepared runs, whole; every tenth request logs a point into one of them."""

    def __init__(self, site: Site, _: Corpus) -> None:
        self._site = site
        self._runs = [run.encode() for run in site.corpus_runs]
        self._requests = get_requests(site)
        # A metric that is there already, so that a run keeps as many of them.
        self._writes = [
            site.request("POST", "runs/log-metric", _point(run, "m0")) for run in site.corpus_runs
        ]
        self._dice = random.Random(11)
        self._asked = 0

    def request(self) -> tuple[bytes, bytes | None]:
        """One of them, all equally likely; None is known of a write."""
        number = int(self._dice.random() * len(self._runs))
        self._asked += 1
        if self._asked % _WRITE_EVERY:
            return self._requests[number], self._runs[number]
        step = b"%d" % next(self._site.steps)
        return self._writes[number].replace(_STEP_MARK, step), None

    def right(self, known: bytes | None, body: bytes) -> bool:
        """Whether it is that run, whole, or the point was taken."""
        if known is not None:
            return known in body and body.count(b'"key"') == METRICS + PARAMS + TAGS
        taken = body.strip() == b"{}"
        self._site.written["get-run"] += taken
        return taken


def get_requests(site: Site) -> list[bytes]:
    """A request for each of the prepared runs."""
    return [
        site.request("GET", f"runs/get?run_uuid={run}&run_id={run}") for run in site.corpus_runs
    ]


class GetHistory:
    """A long history, down-sampled for a chart, from a step on that is drawn anew."""

    def __init__(self, site: Site, _: Corpus) -> None:
        self._site = site
        self._dice = random.Random(19)

    def request(self) -> tuple[bytes, None]:
        """All but the very first points."""
        first = self._dice.randrange(_FIRST_STEPS)
        return self._site.request(
            "GET",
            f"metrics/get-history-bulk-interval?run_ids={self._site.history_run}"
            f"&metric_key={HISTORY_KEY}&start_step={first}&end_step={HISTORY_POINTS - 1}"
            f"&max_results={SAMPLES}",
        ), None

    def right(self, _: None, body: bytes) -> bool:
        """Whether about as many points came as were asked for, the last one among them."""
        came = body.count(b'"step"')
        return abs(came - SAMPLES) <= SAMPLES // 10 and b"%d" % (HISTORY_POINTS - 1) in body


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
    "get-history": GetHistory,
    "log-metric-64-tenants": LogMetricOfTenants,
}
