"""One set of experiments, runs and logged models, made by the same requests on two servers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import asyncpg

Ask = Callable[[str, str, Any], Awaitable[tuple[int, Any]]]
VALUES: Final = ("NaN", "Infinity", "-Infinity", 0, -0.0, 1, 1.5, -2, 3, 1e300, 1e-300, 100)
TEXTS: Final = (
    *(
        "a",
        "A",
        "b",
        "ab",
        "aB",
        "a b",
        "a%",
        "a_",
        "a\\",
        "a\\%b",
        "%",
        "_",
        "10",
        "9",
        "1e3",
        "é",
    ),
    *("É", "ß", "名前", "it's", 'say "x"', "", "Zebra", "zebra", "a.b"),
)
NAMES: Final = (
    *(
        "run",
        "Run",
        "run %",
        "run_1",
        "run\\2",
        "run é",
        "名前",
        "run 10",
        "run 9",
        "RUN",
        "a;b",
        "x'y",
    ),
)
KEYS: Final = ("k", "K", "k k", "k.k", "k-k", "ключ")
METRICS: Final = ("m", "m.n", "m o", "M")
DATASETS: Final = (("d", "1"), ("d", "2"), ("e", "1"), ("D e", "x"))
RUNS: Final = 60
MODELS: Final = 30
EXPERIMENTS: Final = 10


@dataclass
class Made:
    """The ids that a server gave, in the order of making."""

    experiments: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)


async def make(ask: Ask, seed: int) -> Made:
    """Everything; the same for the same seed, but for the ids that the server gives."""
    random = Random(seed)
    made = Made()
    for number in range(EXPERIMENTS):
        await _experiment(ask, random, made, number)
    for number in range(RUNS):
        await _run(ask, random, made, number)
    for number in range(MODELS):
        await _model(ask, random, made, number)
    await _post(ask, "experiments/delete", {"experiment_id": made.experiments[-1]})
    return made


async def _post(ask: Ask, path: str, body: Any, method: str = "POST") -> Any:
    status, answer = await ask(method, path, body)
    assert status == 200, (path, body, answer)
    return answer


def _tags(random: Random, texts: tuple[str, ...] = TEXTS) -> list[dict[str, str]]:
    keys = random.sample(KEYS, random.randint(0, 4))
    return [{"key": key, "value": random.choice(texts)} for key in keys]


async def _experiment(ask: Ask, random: Random, made: Made, number: int) -> None:
    name = f"{random.choice(TEXTS)} {NAMES[number % len(NAMES)]} {number}"
    answer = await _post(ask, "experiments/create", {"name": name, "tags": _tags(random)})
    made.experiments.append(answer["experiment_id"])


async def _run(ask: Ask, random: Random, made: Made, number: int) -> None:
    tags = _tags(random)
    if made.runs and random.random() < 0.4:
        # By its place: the ids differ from server to server, as long as they are being made.
        parent = made.runs[random.randrange(len(made.runs) // 2 + 1)]
        tags.append({"key": "mlflow.parentRunId", "value": parent})
    answer = await _post(
        ask,
        "runs/create",
        {
            "experiment_id": made.experiments[0 if random.random() < 0.7 else 1],
            "start_time": 1_000 + random.randrange(RUNS // 2),
            "user_id": random.choice(("ada", "Ada", "grace")),
            "run_name": random.choice(NAMES),
            "tags": tags,
        },
    )
    run_id = answer["run"]["info"]["run_id"]
    made.runs.append(run_id)
    await _log(ask, random, run_id)
    if random.random() < 0.5:
        await _inputs(ask, random, run_id)
    if random.random() < 0.7:
        status = random.choice(("FINISHED", "FAILED", "KILLED", "SCHEDULED"))
        end = {"end_time": 2_000 + number % 7} if random.random() < 0.8 else {}
        await _post(ask, "runs/update", {"run_id": run_id, "status": status, **end})
    if random.random() < 0.1:
        await _post(ask, "runs/delete-tag", {"run_id": run_id, "key": "mlflow.runName"})
    if random.random() < 0.1 and number:
        await _post(ask, "runs/delete", {"run_id": run_id})


async def _log(ask: Ask, random: Random, run_id: str) -> None:
    metrics = [
        {"key": key, "value": random.choice(VALUES), "timestamp": 1, "step": step}
        for key in random.sample(METRICS, random.randint(0, 3))
        for step in range(random.randint(1, 2))
    ]
    keys = random.sample(KEYS, random.randint(0, 4))
    params = [{"key": key, "value": random.choice(TEXTS)} for key in keys]
    await _post(
        ask, "runs/log-batch", {"run_id": run_id, "metrics": metrics, "params": params, "tags": []}
    )


async def _inputs(ask: Ask, random: Random, run_id: str) -> None:
    datasets = []
    for name, digest in random.sample(DATASETS, random.randint(1, 2)):
        dataset = {"name": name, "digest": digest, "source_type": "code", "source": "s"}
        context = {"key": "mlflow.data.context", "value": random.choice(("train", "Test"))}
        tags = [context] if random.random() < 0.8 else []
        datasets.append({"tags": tags, "dataset": dataset})
    await _post(ask, "runs/log-inputs", {"run_id": run_id, "datasets": datasets})


async def _model(ask: Ask, random: Random, made: Made, number: int) -> None:
    run_id = random.choice(made.runs[:10])
    answer = await _post(
        ask,
        "logged-models",
        {
            "experiment_id": made.experiments[0 if random.random() < 0.7 else 1],
            "name": random.choice(("model", "Model", "mod_el", "mod%el", "modèle")),
            "model_type": random.choice(("", "agent", "Agent")),
            "source_run_id": run_id,
            "params": _tags(random, tuple(text for text in TEXTS if text)),
            "tags": _tags(random, tuple(text for text in TEXTS if text)),
        },
    )
    model_id = answer["model"]["info"]["model_id"]
    made.models.append(model_id)
    active = made.runs[0]
    for key in random.sample(METRICS, random.randint(0, 3)):
        for step in range(random.randint(1, 2)):
            point = {"run_id": active, "key": key, "value": random.choice(VALUES)}
            context: dict[str, str] = {}
            if random.random() < 0.6:
                name, digest = random.choice(DATASETS)
                context = {"dataset_name": name, "dataset_digest": digest}
            times = {"timestamp": random.randrange(5), "step": step, "model_id": model_id}
            await _post(ask, "runs/log-metric", {**point, **times, **context})
    if random.random() < 0.7:
        status = random.choice(("LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"))
        body = {"model_id": model_id, "status": status}
        await _post(ask, f"logged-models/{model_id}", body, "PATCH")
    if number % 10 == 9:
        await _post(ask, f"logged-models/{model_id}", None, "DELETE")


async def give_ids(ours: str, theirs: str, tenant_no: int, mine: Made, other: Made) -> None:
    """Give what is in our database the ids, times and places of what is in theirs.

    Ids break ties and clocks differ: with these alike, the same search has one right answer.
    """
    there = await asyncpg.connect(theirs)
    here = await asyncpg.connect(ours)
    try:
        runs = {row["run_uuid"]: row for row in await there.fetch("SELECT * FROM runs")}
        models = {row["model_id"]: row for row in await there.fetch("SELECT * FROM logged_models")}
        experiments = await there.fetch("SELECT * FROM experiments")
        await here.execute("SET session_replication_role = replica; SET search_path = tracking")
        for old, new in zip(mine.runs, other.runs, strict=True):
            row = runs[new]
            await here.execute(
                "UPDATE runs SET run_id = $2::uuid, artifact_uri = $3"
                " WHERE tenant_no = $1 AND run_id = $4::uuid",
                *(tenant_no, new, row["artifact_uri"], old),
            )
            await here.execute(
                "UPDATE run_tags SET value = $2 WHERE tenant_no = $1 AND value = $3",
                *(tenant_no, new, old),
            )
            await here.execute(
                "UPDATE logged_models SET source_run_id = $2"
                " WHERE tenant_no = $1 AND source_run_id = $3",
                *(tenant_no, new, old),
            )
        for old, new in zip(mine.models, other.models, strict=True):
            row = models[new]
            await here.execute(
                "UPDATE logged_models SET model_id = substr($2, 3)::uuid, creation_time = $3,"
                " last_update_time = $4, artifact_uri = $5"
                " WHERE tenant_no = $1 AND model_id = substr($6, 3)::uuid",
                *(tenant_no, new, row["creation_timestamp_ms"], row["last_updated_timestamp_ms"]),
                *(row["artifact_location"], old),
            )
            for table in ("logged_model_params", "logged_model_tags"):
                await here.execute(
                    f"UPDATE {table} SET model_id = substr($2, 3)::uuid"
                    " WHERE tenant_no = $1 AND model_id = substr($3, 3)::uuid",
                    *(tenant_no, new, old),
                )
            await here.execute(
                "UPDATE metric_contexts SET model_id = $2 WHERE tenant_no = $1 AND model_id = $3",
                *(tenant_no, new, old),
            )
        for row in experiments:
            await here.execute(
                "UPDATE experiments SET creation_time = $2, last_update_time = $3"
                " WHERE tenant_no = $1 AND experiment_id = $4",
                *(tenant_no, row["creation_time"], row["last_update_time"], row["experiment_id"]),
            )
    finally:
        await there.close()
        await here.close()
