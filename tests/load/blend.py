"""The mixed load: what trainings and people at web pages ask for, in fixed shares."""

import json
import random
from itertools import cycle
from typing import Any, Final

from tests.load.content import METRICS, Corpus
from tests.load.generator import Workload
from tests.load.operations import OPERATIONS, Site

# Of twenty requests: 60 % points, 10 % batches, 15 % runs, and 5 % each of searches, new runs and
# others.
CYCLE: Final = (
    *("log-metric", "log-metric", "get-run", "log-metric", "log-batch"),
    *("log-metric", "log-metric", "search-runs", "log-metric", "get-run"),
    *("log-metric", "log-metric", "create-run", "log-metric", "log-batch"),
    *("log-metric", "log-metric", "get-run", "log-metric", "other"),
)
Known = tuple[str, Any]


class Blend:
    """The requests of the measured operations and some others, in the cycle's order."""

    def __init__(self, site: Site, corpus: Corpus) -> None:
        names = {name for name in CYCLE if name != "other"}
        self._workloads: dict[str, Workload] = {
            **{name: OPERATIONS[name](site, corpus) for name in names},
            "other": Others(site),
        }
        self._order = cycle(CYCLE)

    def request(self) -> tuple[bytes, Known]:
        """The next of the cycle."""
        name = next(self._order)
        request, known = self._workloads[name].request()
        return request, (name, known)

    def right(self, known: Known, body: bytes) -> bool:
        """Whether it is what its operation wants."""
        name, rest = known
        return self._workloads[name].right(rest, body)


class Others:
    """An experiment by its id, a tag, a short history, and the list of experiments, in turn."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._dice = random.Random(23)
        experiment = site.experiments["corpus"]
        self._experiment = site.request("GET", f"experiments/get?experiment_id={experiment}")
        page = json.dumps({"max_results": 20, "view_type": "ACTIVE_ONLY"}).encode()
        self._list = site.request("POST", "experiments/search", page)
        self._turn = 0

    def request(self) -> tuple[bytes, bytes]:
        """The next of the four, with words that its answer must have."""
        self._turn += 1
        run = self._dice.choice(self._site.corpus_runs)
        match self._turn % 4:
            case 0:
                return self._experiment, b'"bench corpus"'
            case 1:
                tag = {"run_uuid": run, "run_id": run, "key": "t0", "value": f"tag {self._turn}"}
                return self._site.request("POST", "runs/set-tag", json.dumps(tag).encode()), b"{}"
            case 2:
                key = f"m{METRICS - 1}"
                asked = f"metrics/get-history?run_uuid={run}&run_id={run}&metric_key={key}"
                return self._site.request("GET", asked), f'"{key}"'.encode()
            case _:
                return self._list, b'"bench metric"'

    def right(self, known: bytes, body: bytes) -> bool:
        """Whether the words are there."""
        return known in body
