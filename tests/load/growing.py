"""Makes much of what is stored, and asks for parts of it: for how the cost of reads grows."""

import json
import random
from collections.abc import Sequence
from typing import Final

import asyncpg

from tests.load.asking import ask_all, post
from tests.load.content import PARAM_VALUES
from tests.load.operations import HISTORY_KEY, HISTORY_POINTS, PAGE, SAMPLES, Site
from tests.load.seeding import SEEDERS, history

# The experiment whose runs become more and more.
RUNS: Final = "create"
HISTORY: Final = HISTORY_POINTS
_BATCH: Final = 1000
_AT_ONCE: Final = 200
_STEP: Final = 20_000
# What each run has; the values are told from its number, the same on every machine.
_METRICS: Final = 8
_PARAMS: Final = 8
_TAGS: Final = 4
_ADD_RUNS: Final = """
    INSERT INTO tracking.runs (tenant_no, experiment_id, run_id, workspace_id, start_time, status,
                               name, user_id, artifact_uri, created_by)
    SELECT 1, $1, md5('run ' || n)::uuid, 1, 1700000000000 + n * 1000, 'RUNNING', 'grown ' || n,
           'bench', 'mlflow-artifacts:/grown/' || n, 'bench'
    FROM generate_series($2::int8, $3::int8) AS n"""
_OF_THEM: Final = """
    FROM tracking.runs r
    JOIN (SELECT md5('run ' || n)::uuid AS run_id, n FROM generate_series($1::int8, $2::int8) AS n) u
         ON u.run_id = r.run_id AND r.tenant_no = 1"""
_ADD_METRICS: Final = f"""
    INSERT INTO tracking.latest_metrics (tenant_no, key_no, run_no, step, ts, value)
    SELECT 1, k.key_no, r.run_no, 0, 1700000000000,
           (hashint8(u.n * 97 + i)::int8 + 2147483648) / 4294967296.0
    {_OF_THEM}
    CROSS JOIN generate_series(0, {_METRICS - 1}) AS i
    JOIN tracking.metric_keys k ON k.tenant_no = 1 AND k.key = 'm' || i"""
_ADD_PARAMS: Final = f"""
    INSERT INTO tracking.params (tenant_no, run_no, key, value)
    SELECT 1, r.run_no, 'p' || i, 'v' || abs(hashint8(u.n * 89 + i)::int8) % {PARAM_VALUES}
    {_OF_THEM}
    CROSS JOIN generate_series(0, {_PARAMS - 1}) AS i"""
_ADD_TAGS: Final = f"""
    INSERT INTO tracking.run_tags (tenant_no, run_no, key, value)
    SELECT 1, r.run_no, 't' || i, 'tag ' || i
    {_OF_THEM}
    CROSS JOIN generate_series(0, {_TAGS - 1}) AS i"""


async def add_runs(superuser_url: str, experiment: str, first: int, number: int) -> None:
    """So many runs from that number on, with metrics, params and tags that are there by name."""
    connection = await asyncpg.connect(superuser_url)
    try:
        # Who sees past row level security inserts; that keys are there is known.
        await connection.execute("SET session_replication_role = replica")
        for start in range(first, first + number, _STEP):
            last = min(start + _STEP, first + number) - 1
            await connection.execute(_ADD_RUNS, int(experiment), start, last)
            for statement in (_ADD_METRICS, _ADD_PARAMS, _ADD_TAGS):
                await connection.execute(statement, start, last)
    finally:
        await connection.close()


async def add_history(site: Site, points: int) -> str:
    """A run with so many points of one key, logged as a client does; its id."""
    body = {"experiment_id": site.experiments["history"], "start_time": 1, "tags": []}
    run = str((await post(site, "runs/create", body))["run"]["info"]["run_id"])
    starts = range(0, points, _BATCH)
    for number in range(0, len(starts), _AT_ONCE):
        batches = [_batch(site, run, first, points) for first in starts[number : number + _AT_ONCE]]
        await ask_all(site, batches, SEEDERS)
    return run


def _batch(site: Site, run: str, first: int, points: int) -> bytes:
    metrics = [
        {"key": HISTORY_KEY, "value": value, "timestamp": timestamp, "step": step}
        for value, timestamp, step in history(range(first, min(first + _BATCH, points)))
    ]
    body = {"run_id": run, "metrics": metrics, "params": [], "tags": []}
    return site.request("POST", "runs/log-batch", json.dumps(body).encode())


class SearchAmong:
    """A page of the grown runs by a metric and a param drawn anew, ordered by another metric."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._dice = random.Random(31)

    def request(self) -> tuple[bytes, None]:
        """A search that many runs meet."""
        bound = round(self._dice.random() * 0.4, 6)
        body = {
            "experiment_ids": [self._site.experiments[RUNS]],
            "filter": f"metrics.m1 > {bound} and params.p1 = 'v{self._dice.randrange(PARAM_VALUES)}'",
            "run_view_type": "ACTIVE_ONLY",
            "max_results": PAGE,
            "order_by": ["metrics.m2 DESC"],
        }
        return self._site.request("POST", "runs/search", json.dumps(body).encode()), None

    def right(self, _: None, body: bytes) -> bool:
        """Whether the page is full, of whole runs."""
        whole = PAGE * (_METRICS + _PARAMS + _TAGS)
        return body.count(b'"run_id"') == PAGE and body.count(b'"key"') >= whole


class History:
    """One of several long histories, down-sampled for a chart."""

    def __init__(self, site: Site, runs: Sequence[str], points: int) -> None:
        self._site = site
        self._runs = runs
        self._last = points - 1
        self._dice = random.Random(37)

    def request(self) -> tuple[bytes, None]:
        """Any of them, all but its very first points."""
        first = self._dice.randrange(1, max(2, self._last // 100))
        return self._site.request(
            "GET",
            f"metrics/get-history-bulk-interval?run_ids={self._dice.choice(self._runs)}"
            f"&metric_key={HISTORY_KEY}&start_step={first}&end_step={self._last}"
            f"&max_results={SAMPLES}",
        ), None

    def right(self, _: None, body: bytes) -> bool:
        """Whether about as many points came as were asked for, the last one among them."""
        came = body.count(b'"step"')
        return abs(came - SAMPLES) <= SAMPLES // 10 and b"%d" % self._last in body
