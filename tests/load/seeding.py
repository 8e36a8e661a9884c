"""Puts what the operations need into a server: experiments, runs to write to, runs to read."""

import json
import random
import uuid
from collections.abc import Iterator
from typing import Any, Final

import asyncpg

from tests.load.asking import ask_all, post
from tests.load.content import Content, Corpus
from tests.load.operations import Site

WRITTEN_RUNS: Final = 64
SEEDERS: Final = 8
EXPERIMENTS: Final = ("metric", "batch", "create", "corpus", "visible")
Row = tuple[Any, ...]


async def open_site(site: Site) -> None:
    """The experiments, and the runs that are written to."""
    for name in EXPERIMENTS:
        made = await post(site, "experiments/create", {"name": f"bench {name}"})
        site.experiments[name] = str(made["experiment_id"])
    site.metric_runs = await _runs(site, site.experiments["metric"])
    site.batch_runs = await _runs(site, site.experiments["batch"])


async def _runs(site: Site, experiment: str) -> list[str]:
    body = json.dumps({"experiment_id": experiment, "start_time": 1, "tags": []}).encode()
    request = site.request("POST", "runs/create", body)
    answers = await ask_all(site, [request] * WRITTEN_RUNS, SEEDERS)
    return [str(json.loads(answer)["run"]["info"]["run_id"]) for answer in answers]


async def seed_by_api(site: Site, corpus: Corpus) -> None:
    """The corpus, as a client would log it: each run, then all of its content in one batch."""
    creations = [_creation(site, run) for run in corpus.runs]
    made = await ask_all(site, creations, SEEDERS)
    site.corpus_runs = [str(json.loads(answer)["run"]["info"]["run_id"]) for answer in made]
    batches = [
        site.request("POST", "runs/log-batch", json.dumps(_batch(run_id, run)).encode())
        for run_id, run in zip(site.corpus_runs, corpus.runs, strict=True)
    ]
    await ask_all(site, batches, SEEDERS)


def _creation(site: Site, run: Content) -> bytes:
    body = {
        "experiment_id": site.experiments["corpus"],
        "start_time": run.start_time,
        "run_name": run.name,
        "tags": [],
    }
    return site.request("POST", "runs/create", json.dumps(body).encode())


def _batch(run_id: str, run: Content) -> dict[str, Any]:
    tags = {key: value for key, value in run.tags.items() if not key.startswith("mlflow.")}
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
    connection = await asyncpg.connect(peer_url)
    try:
        for table, columns, rows in (
            ("runs", RUN_COLUMNS, [_run_row(key, run, experiment) for key, run in named]),
            ("metrics", METRIC_COLUMNS, list(_metric_rows(named))),
            ("latest_metrics", METRIC_COLUMNS, list(_metric_rows(named))),
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
