"""Searches at random, all of them right ones, over the data of `filters_data`."""

from random import Random
from typing import Any, Final

from tests.conformance.filters_data import DATASETS, KEYS, METRICS, NAMES, TEXTS, Made

_NUMBER_SIGNS: Final = ("=", "!=", ">", ">=", "<", "<=")
_NUMBERS: Final = (
    "0",
    "-0",
    "1",
    "1.5",
    "-2",
    "3",
    "1e300",
    "1e999",
    "-1e999",
    ".5",
    "1e-300",
    "100.",
)
_PATTERNS: Final = (
    *("'%'", "'a%'", "'A%'", "'%b'", "'a_'", "'_'", "'a\\%'", "'a\\\\%'", "'%\\_%'", "'%é%'", "''"),
    *("'RUN%'", "'%0'", "'run\\_1'", "'%e%'", "'mod%'"),
)
_DIRECTIONS: Final = ("", " ASC", " DESC")


def _key(key: str) -> str:
    return f"`{key}`" if not key.isidentifier() or " " in key else key


def _text(random: Random, texts: tuple[str, ...]) -> str:
    text = random.choice(texts)
    return f'"{text}"' if "'" in text else f"'{text}'"


def _compared(random: Random, texts: tuple[str, ...]) -> str:
    if random.random() < 0.5:
        return f"{random.choice(('LIKE', 'ILIKE'))} {random.choice(_PATTERNS)}"
    return f"{random.choice(('=', '!='))} {_text(random, texts)}"


def _pair(random: Random, entity: str) -> str:
    pair = f"{entity}.{_key(random.choice(KEYS))}"
    if random.random() < 0.3:
        return f"{pair} {random.choice(('IS NULL', 'IS NOT NULL'))}"
    return f"{pair} {_compared(random, TEXTS)}"


def _list(random: Random, texts: list[str]) -> str:
    chosen = random.sample(texts, min(len(texts), random.randint(1, 4)))
    inside = ", ".join(f"'{text}'" for text in chosen)
    return f"{random.choice(('IN', 'NOT IN'))} ({inside}{random.choice(('', ','))})"


def run_search(random: Random, made: Made) -> dict[str, Any]:
    """A body of runs/search."""
    experiments = random.choice(([0], [0], [0, 1], [1], [0, 1, 9]))
    clauses = [_run_clause(random, made) for _ in range(random.choice((0, 1, 1, 1, 2)))]
    orders: dict[str, str] = {}
    for _ in range(random.choice((0, 1, 1, 2))):
        by = _run_order(random)
        orders[by.replace("created", "start_time").split(".")[-1]] = by + random.choice(_DIRECTIONS)
    return {
        "experiment_ids": [made.experiments[number] for number in experiments],
        "filter": random.choice((" AND ", " and ")).join(clauses),
        "order_by": list(orders.values()),
        "run_view_type": random.choice(("ACTIVE_ONLY", "ACTIVE_ONLY", "DELETED_ONLY", "ALL")),
        "max_results": random.choice((7, 20, 100)),
    }


def _run_clause(random: Random, made: Made) -> str:
    kind = random.randrange(10)
    if kind < 3:
        metric = f"{random.choice(('metrics', 'metric'))}.{_key(random.choice(METRICS))}"
        return f"{metric} {random.choice(_NUMBER_SIGNS)} {random.choice(_NUMBERS)}"
    if kind < 6:
        return _pair(random, random.choice(("params", "tags", "param", "tag")))
    if kind == 6:
        return f"tags.mlflow.parentRunId {random.choice(('=', '!='))} '{random.choice(made.runs)}'"
    if kind == 7:
        what = random.choice(("name", "digest", "context"))
        texts = ("d", "e", "D e", "1", "2", "x", "train", "Test", "test")
        if random.random() < 0.4:
            return f"dataset.{what} {_list(random, list(texts))}"
        return f"datasets.{what} {_compared(random, texts)}"
    return _run_attribute(random, made)


def _run_attribute(random: Random, made: Made) -> str:
    kind = random.randrange(6)
    if kind == 0:
        time = random.choice(("start_time", "attributes.created", "attr.end_time", "end_time"))
        number = random.choice(("1010", "1015", "2003", "1012.5", "0", "99999999999999999999"))
        return f"{time} {random.choice(_NUMBER_SIGNS)} {number}"
    if kind == 1:
        return f"{random.choice(('run_id', 'attributes.run_id'))} {_list(random, made.runs)}"
    if kind == 2:
        return f"run_id {random.choice(('=', '!='))} '{random.choice(made.runs)}'"
    if kind == 3:
        name = random.choice(("run_name", "attributes.`Run name`", "attributes.run_name"))
        return f"{name} {_compared(random, NAMES)}"
    if kind == 4:
        return f"status {_compared(random, ('FINISHED', 'RUNNING', 'failed', 'KILLED'))}"
    return f"user_id {_compared(random, ('ada', 'Ada', 'grace'))}"


def _run_order(random: Random) -> str:
    kind = random.randrange(4)
    if kind == 0:
        return f"metrics.{_key(random.choice(METRICS))}"
    if kind == 1:
        return f"{random.choice(('params', 'tags'))}.{_key(random.choice(KEYS))}"
    if kind == 2:
        return random.choice(("tags.mlflow.runName", "attributes.status", "status", "user_id"))
    return random.choice(
        ("start_time", "attributes.created", "end_time", "run_name", "run_id", "artifact_uri")
    )


def experiment_search(random: Random, made: Made) -> dict[str, Any]:
    """A body of experiments/search."""
    clauses = [_experiment_clause(random, made) for _ in range(random.choice((0, 1, 1, 2)))]
    keys = random.sample(
        ("name", "experiment_id", "creation_time", "last_update_time"), random.choice((0, 1, 2))
    )
    return {
        "filter": " AND ".join(clauses),
        "order_by": [key + random.choice(_DIRECTIONS) for key in keys],
        "view_type": random.choice(("ACTIVE_ONLY", "ACTIVE_ONLY", "DELETED_ONLY", "ALL")),
        "max_results": random.choice((2, 3, 20)),
    }


def _experiment_clause(random: Random, made: Made) -> str:
    kind = random.randrange(4)
    if kind == 0:
        return f"name {_compared(random, TEXTS)}"
    if kind == 1:
        return _pair(random, random.choice(("tags", "tag")))
    if kind == 2:
        return f"experiment_id {_list(random, made.experiments)}"
    return f"experiment_id {random.choice(('=', '!='))} '{random.choice(made.experiments)}'"


def model_search(random: Random, made: Made) -> dict[str, Any]:
    """A body of logged-models/search."""
    experiments = random.choice(([0], [0, 1], [1]))
    orders = []
    for field in random.sample(range(4), random.choice((0, 1, 1, 2))):
        name = (f"metrics.{random.choice(METRICS)}", "name", "status", "creation_timestamp")[field]
        order: dict[str, Any] = {"field_name": name, "ascending": random.random() < 0.5}
        if field == 0 and random.random() < 0.5:
            dataset, digest = random.choice(DATASETS)
            order |= {"dataset_name": dataset}
            order |= {"dataset_digest": digest} if random.random() < 0.5 else {}
        orders.append(order)
    body: dict[str, Any] = {
        "experiment_ids": [made.experiments[number] for number in experiments],
        "filter": " AND ".join(
            _model_clause(random, made) for _ in range(random.choice((0, 1, 1, 2)))
        ),
        "order_by": orders,
        "max_results": random.choice((3, 7, 50)),
    }
    if random.random() < 0.3:
        # With its digest: MLflow takes a name alone for a dataset that has none.
        name, digest = random.choice(DATASETS)
        body["datasets"] = [{"dataset_name": name, "dataset_digest": digest}]
    return body


def _model_clause(random: Random, made: Made) -> str:
    kind = random.randrange(6)
    if kind < 2:
        metric = _key(random.choice(METRICS))
        return f"metrics.{metric} {random.choice(_NUMBER_SIGNS)} {random.choice(_NUMBERS)}"
    if kind == 2:
        pair = f"{random.choice(('params', 'tags'))}.{_key(random.choice(KEYS))}"
        return f"{pair} {_compared(random, tuple(t for t in TEXTS if chr(39) not in t))}"
    if kind == 3:
        return f"name {_compared(random, ('model', 'Model', 'mod_el'))}"
    if kind == 4:
        return f"model_id {_list(random, made.models)}"
    return random.choice(
        (
            *("status = '2'", "status != '1'", "status IN (1, 2)", "model_type = 'agent'"),
            *("model_type ILIKE 'AGENT'", "model_type != ''", "attributes.name LIKE 'mod%'"),
            f"source_run_id = '{random.choice(made.runs[:6])}'",
        )
    )
