"""Puts what the operations need into a server: experiments, runs to write to, runs to read."""

import json
import random
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, Final

import asyncpg

from tests.load.asking import ask_all, post
from tests.load.content import FIRST_START, Content, Corpus
from tests.load.operations import HISTORY_KEY, HISTORY_POINTS, Site

WRITTEN_RUNS: Final = 64
SEEDERS: Final = 8
EXPERIMENTS: Final = ("metric", "batch", "create", "corpus", "visible", "history")
# The most points that a batch may have.
_MOST_POINTS: Final = 1000
Row = tuple[Any, ...]


async def open_site(site: Site) -> None:
    """The experiments, and the runs that are written to."""
    for name in EXPERIMENTS:
        made = await post(site, "experiments/create", {"name": f"bench {name}"})
        site.experiments[name] = str(made["experiment_id"])
    site.metric_runs = await _runs(site, site.experiments["metric"], WRITTEN_RUNS)
    site.batch_runs = await _runs(site, site.experiments["batch"], WRITTEN_RUNS)
    (site.history_run,) = await _runs(site, site.experiments["history"], 1)


async def _runs(site: Site, experiment: str, number: int) -> list[str]:
    body = json.dumps({"experiment_id": experiment, "start_time": 1, "tags": []}).encode()
    request = site.request("POST", "runs/create", body)
    answers = await ask_all(site, [request] * number, SEEDERS)
    return [str(json.loads(answer)["run"]["info"]["run_id"]) for answer in answers]


async def seed_by_api(site: Site, corpus: Corpus, *, names: bool = False) -> None:
    """The corpus, as a client would log it: each run, then all of its content in one batch.

    With `names` the tags that hold the runs' names are among it.
    """
    creations = [_creation(site, run) for run in corpus.runs]
    made = await ask_all(site, creations, SEEDERS)
    site.corpus_runs = [str(json.loads(answer)["run"]["info"]["run_id"]) for answer in made]
    batches = [
        site.request("POST", "runs/log-batch", json.dumps(_batch(run_id, run, names)).encode())
        for run_id, run in zip(site.corpus_runs, corpus.runs, strict=True)
    ]
    await ask_all(site, batches, SEEDERS)
    await ask_all(site, [_history(site, at) for at in range(0, HISTORY_POINTS, _MOST_POINTS)], 1)


def _history(site: Site, first: int) -> bytes:
    """As many points of the long history as a batch may have, from `first` on."""
    metrics = [
        {"key": HISTORY_KEY, "value": value, "timestamp": timestamp, "step": step}
        for value, timestamp, step in history(range(first, first + _MOST_POINTS))
    ]
    body = {"run_id": site.history_run, "metrics": metrics, "params": [], "tags": []}
    return site.request("POST", "runs/log-batch", json.dumps(body).encode())


def history(steps: Iterable[int]) -> Iterator[tuple[float, int, int]]:
    """Value, time and step of the long history's points."""
    for step in steps:
        yield 1 / (1 + step), FIRST_START + step * 100, step


def _creation(site: Site, run: Content) -> bytes:
    body = {
        "experiment_id": site.experiments["corpus"],
        "start_time": run.start_time,
        "run_name": run.name,
        "tags": [],
    }
    return site.request("POST", "runs/create", json.dumps(body).encode())


def _batch(run_id: str, run: Content, names: bool) -> dict[str, Any]:
    tags = {k: value for k, value in run.tags.items() if names or not k.startswith("mlflow.")}
    return {
        "run_id": run_id,
        "metrics": [
            {"key": f"m{i}", "value": value, "timestamp": run.start_time, "step": 0}
            for i, value in enumerate(run.metrics)
        ],
        "params": [{"key": f"p{i}", "value": value} for i, value in enumerate(run.params)],
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }


async def seed_by_sql(site: Site, corpus: Corpus, peer_url: str) -> None:
    """The corpus straight into the tables of `mlflow server`, which by HTTP takes minutes."""
    dice = random.Random(17)
    site.corpus_runs = [uuid.UUID(int=dice.getrandbits(128)).hex for _ in corpus.runs]
    named = list(zip(site.corpus_runs, corpus.runs, strict=True))
    experiment = site.experiments["corpus"]
    points, longer = list(_metric_rows(named)), list(_history_rows(site))
    connection = await asyncpg.connect(peer_url)
    try:
        for table, columns, rows in (
            ("runs", RUN_COLUMNS, [_run_row(key, run, experiment) for key, run in named]),
            ("metrics", METRIC_COLUMNS, [*points, *longer]),
            ("latest_metrics", METRIC_COLUMNS, [*points, longer[-1]]),
            (
                "params",
                TEXT_COLUMNS,
                [(f"p{i}", value, key) for key, run in named for i, value in enumerate(run.params)],
            ),
            (
                "tags",
                TEXT_COLUMNS,
                [(name, value, key) for key, run in named for name, value in run.tags.items()],
            ),
        ):
            await connection.copy_records_to_table(table, records=rows, columns=columns)
    finally:
        await connection.close()


RUN_COLUMNS: Final = (
    *("run_uuid", "name", "source_type", "user_id", "status", "start_time"),
    *("lifecycle_stage", "artifact_uri", "experiment_id"),
)
METRIC_COLUMNS: Final = ("key", "value", "timestamp", "step", "is_nan", "run_uuid")
TEXT_COLUMNS: Final = ("key", "value", "run_uuid")


def _run_row(key: str, run: Content, experiment: str) -> Row:
    return (
        *(key, run.name, "UNKNOWN", "bench", "RUNNING", run.start_time, "active"),
        *(f"mlflow-artifacts:/{experiment}/{key}/artifacts", int(experiment)),
    )


def _metric_rows(named: list[tuple[str, Content]]) -> Iterator[Row]:
    for key, run in named:
        for i, value in enumerate(run.metrics):
            yield (f"m{i}", value, run.start_time, 0, False, key)


def _history_rows(site: Site) -> Iterator[Row]:
    for value, timestamp, step in history(range(HISTORY_POINTS)):
        yield (HISTORY_KEY, value, timestamp, step, False, site.history_run)
