"""One set of experiments, runs and logged models, made by the same requests on two servers."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
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
FIRST_RUNS: Final = 6
RUNS: Final = 48
MODELS: Final = 24
EXPERIMENTS: Final = 10


@dataclass
class Made:
    """The ids that a server gave, in the order of making.

    Under `turn` one logs datasets: of two that log the same at once, MLflow refuses one.
    """

    experiments: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


async def make(ask: Ask, seed: int) -> Made:
    """Everything; the same for the same seed, but for the ids that the server gives."""
    made = Made()
    # One after another: experiments are counted, and other runs name the first ones.
    for number in range(EXPERIMENTS):
        made.experiments.append(await _experiment(ask, Random(f"{seed} {number}"), number))
    for number in range(FIRST_RUNS):
        made.runs.append(await _run(ask, Random(f"{seed} run {number}"), made, number))
    made.runs += await _at_once(
        _run(ask, Random(f"{seed} run {number}"), made, number)
        for number in range(FIRST_RUNS, RUNS)
    )
    # Again one after another: two that log the same point of a run at once are refused by MLflow.
    for number in range(MODELS):
        made.models.append(await _model(ask, Random(f"{seed} model {number}"), made, number))
    await _post(ask, "experiments/delete", {"experiment_id": made.experiments[-1]})
    return made


async def _at_once(makings: Iterable[Coroutine[Any, Any, str]]) -> list[str]:
    """The ids of what is made by a few at a time, in the order of the makings."""
    turns = asyncio.Semaphore(4)

    async def made(making: Coroutine[Any, Any, str]) -> str:
        async with turns:
            return await making

    return list(await asyncio.gather(*map(made, makings)))


async def _post(ask: Ask, path: str, body: Any, method: str = "POST") -> Any:
    status, answer = await ask(method, path, body)
    assert status == 200, (path, body, answer)
    return answer


def _tags(random: Random, texts: tuple[str, ...] = TEXTS) -> list[dict[str, str]]:
    keys = random.sample(KEYS, random.randint(0, 4))
    return [{"key": key, "value": random.choice(texts)} for key in keys]


async def _experiment(ask: Ask, random: Random, number: int) -> str:
    name = f"{random.choice(TEXTS)} {NAMES[number % len(NAMES)]} {number}"
    answer = await _post(ask, "experiments/create", {"name": name, "tags": _tags(random)})
    experiment_id: str = answer["experiment_id"]
    return experiment_id


async def _run(ask: Ask, random: Random, made: Made, number: int) -> str:
    tags = _tags(random)
    if number >= FIRST_RUNS and random.random() < 0.4:
        tags.append({"key": "mlflow.parentRunId", "value": random.choice(made.runs[:FIRST_RUNS])})
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
    run_id: str = answer["run"]["info"]["run_id"]
    await _post(ask, "runs/log-batch", {"run_id": run_id, **_logged(random)})
    if random.random() < 0.4:
        async with made.turn:
            await _post(ask, "runs/log-inputs", {"run_id": run_id, "datasets": _datasets(random)})
    if random.random() < 0.6:
        status = random.choice(("FINISHED", "FAILED", "KILLED", "SCHEDULED"))
        end = {"end_time": 2_000 + number % 7} if random.random() < 0.8 else {}
        await _post(ask, "runs/update", {"run_id": run_id, "status": status, **end})
    if random.random() < 0.1:
        await _post(ask, "runs/delete-tag", {"run_id": run_id, "key": "mlflow.runName"})
    # The first run gets the points of models.
    if number and random.random() < 0.15:
        await _post(ask, "runs/delete", {"run_id": run_id})
    return run_id


def _logged(random: Random) -> dict[str, Any]:
    metrics = [
        {"key": key, "value": random.choice(VALUES), "timestamp": 1, "step": step}
        for key in random.sample(METRICS, random.randint(0, 3))
        for step in range(random.randint(1, 2))
    ]
    keys = random.sample(KEYS, random.randint(0, 4))
    return {
        "metrics": metrics,
        "params": [{"key": key, "value": random.choice(TEXTS)} for key in keys],
    }


def _datasets(random: Random) -> list[dict[str, Any]]:
    datasets = []
    for name, digest in random.sample(DATASETS, random.randint(1, 2)):
        dataset = {"name": name, "digest": digest, "source_type": "code", "source": "s"}
        context = {"key": "mlflow.data.context", "value": random.choice(("train", "Test"))}
        datasets.append({"tags": [context] if random.random() < 0.8 else [], "dataset": dataset})
    return datasets


async def _model(ask: Ask, random: Random, made: Made, number: int) -> str:
    filled = tuple(text for text in TEXTS if text)
    answer = await _post(
        ask,
        "logged-models",
        {
            "experiment_id": made.experiments[0 if random.random() < 0.7 else 1],
            "name": random.choice(("model", "Model", "mod_el", "modèle")),
            "model_type": random.choice(("", "agent", "Agent")),
            "source_run_id": random.choice(made.runs[:FIRST_RUNS]),
            "params": _tags(random, filled),
            "tags": _tags(random, filled),
        },
    )
    model_id: str = answer["model"]["info"]["model_id"]
    points = [
        _point(random, key, step) | {"model_id": model_id}
        for key in random.sample(METRICS, random.randint(0, 3))
        for step in range(random.randint(1, 2))
    ]
    await _post(ask, "runs/log-batch", {"run_id": made.runs[0], "metrics": points})
    if random.random() < 0.7:
        status = random.choice(("LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED"))
        body = {"model_id": model_id, "status": status}
        await _post(ask, f"logged-models/{model_id}", body, "PATCH")
    if number % 10 == 9:
        await _post(ask, f"logged-models/{model_id}", None, "DELETE")
    return model_id


def _point(random: Random, key: str, step: int) -> dict[str, Any]:
    # MLflow forgets that a model's metric is not a number, and keeps 0.
    value = random.choice(VALUES[1:])
    point: dict[str, Any] = {"key": key, "value": value, "step": step}
    point["timestamp"] = random.randrange(5)
    if random.random() < 0.6:
        point["dataset_name"], point["dataset_digest"] = random.choice(DATASETS)
    return point


async def give_ids(ours: str, theirs: str, tenant_no: int, mine: Made, other: Made) -> None:
    """Give what is in our database the ids, times and places of what is in theirs.

    Ids break ties and clocks differ: with these alike, the same search has one right answer.
    """
    there = await asyncpg.connect(theirs)
    here = await asyncpg.connect(ours)
    try:
        await here.execute("SET ROLE tracking_owner; SET search_path = tracking")
        await here.execute("SELECT set_config('app.tenant', $1, false)", str(tenant_no))
        places = dict(await there.fetch("SELECT run_uuid, artifact_uri FROM runs"))
        for old, new in zip(mine.runs, other.runs, strict=True):
            for statement in _RUN_IDS:
                await here.execute(statement, old, new, places[new])
        models = {row["model_id"]: row for row in await there.fetch("SELECT * FROM logged_models")}
        for old, new in zip(mine.models, other.models, strict=True):
            row = models[new]
            times = row["creation_timestamp_ms"], row["last_updated_timestamp_ms"]
            await here.execute(_MODEL, old, new, *times, row["artifact_location"])
            for statement in _MODEL_IDS:
                await here.execute(statement, old, new)
        for row in await there.fetch("SELECT * FROM experiments"):
            times = row["creation_time"], row["last_update_time"]
            await here.execute(_EXPERIMENT, row["experiment_id"], *times)
    finally:
        await there.close()
        await here.close()


_RUN_IDS: Final = (
    "UPDATE runs SET run_id = $2::text::uuid, artifact_uri = $3 WHERE run_id = $1::text::uuid",
    "UPDATE run_tags SET value = $2 WHERE value = $1 AND $3 <> ''",
    "UPDATE logged_models SET source_run_id = $2 WHERE source_run_id = $1 AND $3 <> ''",
)
# A copy under the other id, to which what belongs to the model can be moved.
_MODEL: Final = """
INSERT INTO logged_models SELECT (m).* FROM (
    SELECT jsonb_populate_record(x, jsonb_build_object(
        'model_id', substr($2::text, 3), 'creation_time', $3::int8, 'last_update_time', $4::int8,
        'artifact_uri', $5::text)) AS m
    FROM logged_models x WHERE x.model_id = substr($1::text, 3)::uuid) y
"""
_MODEL_IDS: Final = (
    "UPDATE logged_model_params SET model_id = substr($2, 3)::uuid WHERE model_id = substr($1, 3)::uuid",
    "UPDATE logged_model_tags SET model_id = substr($2, 3)::uuid WHERE model_id = substr($1, 3)::uuid",
    "UPDATE metric_contexts SET model_id = $2 WHERE model_id = $1",
    "DELETE FROM logged_models WHERE model_id = substr($1, 3)::uuid AND $2 <> ''",
)
_EXPERIMENT: Final = (
    "UPDATE experiments SET creation_time = $2, last_update_time = $3 WHERE experiment_id = $1"
)
