"""What is logged into runs, and read back."""

from typing import Any

M = {"run_id": "$run", "run_uuid": "$run", "key": "m", "value": 1.5, "timestamp": 5, "step": 0}
POINT = {"key": "a", "value": 1, "timestamp": 1}
DATASET = {
    "tags": [{"key": "mlflow.data.context", "value": "train"}],
    "dataset": {
        "name": "d",
        "digest": "x",
        "source_type": "code",
        "source": "{}",
        "schema": "s",
        "profile": "p",
    },
}


def metric(name: str, /, **sent: Any) -> tuple[object, ...]:
    """A log-metric step."""
    return (f"metric {name}", "POST", "runs/log-metric", {**M, **sent})


def batch(name: str, /, **sent: Any) -> tuple[object, ...]:
    """A log-batch step."""
    return (f"batch {name}", "POST", "runs/log-batch", {"run_id": "$run", **sent})


def pair(kind: str, name: str, /, **sent: Any) -> tuple[object, ...]:
    """A log-parameter or set-tag step."""
    path = {"param": "runs/log-parameter", "tag": "runs/set-tag", "untag": "runs/delete-tag"}[kind]
    return (f"run {kind} {name}", "POST", path, {"run_id": "$run", **sent})


def used(label: str, /, **dataset: Any) -> tuple[object, ...]:
    """A log-inputs step with one dataset."""
    inner: dict[str, Any] = {**DATASET["dataset"], **dataset}  # type: ignore[dict-item]
    sent = {"run_id": "$run", "datasets": [{**DATASET, "dataset": inner}]}
    return (f"dataset {label}", "POST", "runs/log-inputs", sent)


def history(name: str, query: str) -> tuple[object, ...]:
    """A get-history step."""
    return (f"history {name}", "GET", "metrics/get-history", query)


MODEL = (
    '{"artifact_path": "m", "flavors": {"python_function": {"a": 1, "config": "c"}},'
    ' "utc_time_created": "2020-01-01 00:00:00.000000", "run_id": "r", "model_uuid": "abc"}'
)

# name, method, path, sent, kept
STEPS: list[tuple[object, ...]] = [
    metric("plain"),
    metric("not a number", value="NaN", key="nan"),
    metric("infinite", value="Infinity", key="inf"),
    metric("less than infinite", value="-Infinity", key="minf"),
    metric("as text", value="1.25", key="text"),
    metric("as word", value="abc"),
    metric("null", value=None),
    metric("step as text", step="7"),
    metric("step as word", step="x"),
    metric("step before the first", step=-5, key="negative"),
    metric("before time", timestamp=-5),
    metric("null time", timestamp=None),
    metric("time as word", timestamp="x"),
    ("metric without time", "POST", "runs/log-metric", {"run_id": "$run", "key": "m", "value": 1}),
    (
        "metric without key",
        "POST",
        "runs/log-metric",
        {"run_id": "$run", "value": 1, "timestamp": 1},
    ),
    ("metric without run", "POST", "runs/log-metric", {"key": "m", "value": 1, "timestamp": 1}),
    (
        "metric by old name",
        "POST",
        "runs/log-metric",
        {"run_uuid": "$run", "key": "old", "value": 1, "timestamp": 1},
    ),
    metric("of a stranger", run_id="nope"),
    metric("that climbs", key="a/../b"),
    metric("with a star", key="a*b"),
    metric("with all that is allowed", key="a b:c.d-e_é/f"),
    metric("with a long key", key="k" * 251),
    metric("from the root", key="/a"),
    metric("by a number", key=5),
    metric("with half a dataset", dataset_name="d"),
    metric("with a dataset", dataset_name="d", dataset_digest="x"),
    metric("with an unknown field", unknown="x"),
    pair("param", "new", key="p", value="1"),
    pair("param", "again", key="p", value="1"),
    pair("param", "changed", key="p", value="2"),
    pair("param", "without value", key="p2"),
    pair("param", "as a number", key="p3", value=5),
    pair("param", "null", key="p4", value=None),
    pair("param", "long", key="p5", value="x" * 7000),
    pair("param", "with a star", key="p*", value="x"),
    pair("param", "with a long key", key="p" * 251, value="x"),
    pair("param", "without key", value="x"),
    pair("param", "of a stranger", run_id="nope", key="k", value="x"),
    pair("tag", "new", key="t", value="1"),
    pair("tag", "changed", key="t", value="2"),
    pair("tag", "without value", key="t2"),
    pair("tag", "long", key="t3", value="z" * 8001),
    pair("tag", "with a long key", key="t" * 251, value="z"),
    pair("tag", "that names the run", key="mlflow.runName", value="renamed by tag"),
    pair("tag", "that names it nothing", key="mlflow.runName", value=""),
    pair("untag", "known", key="t2"),
    pair("untag", "again", key="t2"),
    pair("untag", "of a stranger", run_id="nope", key="t2"),
    ("logged", "GET", "runs/get", "run_id=$run"),
    batch(
        "of everything",
        metrics=[
            {**POINT, "step": 2},
            {**POINT, "value": 2, "step": 3},
            {**POINT, "value": 2, "step": 3},
        ],
        params=[{"key": "bp", "value": "1"}],
        tags=[{"key": "bt", "value": "1"}, {"key": "bt", "value": "2"}],
    ),
    batch("without time", metrics=[{"key": "a", "value": 1}]),
    batch("without value", metrics=[{"key": "a", "timestamp": 1}]),
    batch("without key", metrics=[POINT, {"key": "", "value": 1, "timestamp": 1}]),
    batch("with a star", metrics=[{**POINT, "key": "a*"}]),
    batch("before time", metrics=[{**POINT, "timestamp": -1}]),
    batch("of a number", metrics=5),
    batch("of a map", metrics={}),
    batch("of a param without key", params=[{"value": "1"}]),
    batch("of a changed param", params=[{"key": "new", "value": "1"}, {"key": "bp", "value": "2"}]),
    batch("of a doubled param", params=[{"key": "d", "value": "2"}] * 3),
    batch("of a param that climbs", params=[{"key": "a/../b", "value": "2"}]),
    batch("of a param with a long key", params=[{"key": "k" * 251, "value": "2"}]),
    batch("of a param without value", params=[{"key": "novalue"}]),
    batch("of a tag with a long key", tags=[{"key": "k" * 251, "value": "2"}]),
    batch("of a tag without key", tags=[{"value": "2"}]),
    batch("of a tag with a star", tags=[{"key": "a*", "value": "2"}]),
    batch("that names the run", tags=[{"key": "mlflow.runName", "value": "renamed by batch"}]),
    batch("of too many metrics", metrics=[POINT] * 1001),
    batch("of too many params", params=[{"key": f"a{i}", "value": "1"} for i in range(101)]),
    batch("of too many tags", tags=[{"key": f"a{i}", "value": "1"} for i in range(101)]),
    batch(
        "of too much",
        metrics=[POINT] * 950,
        params=[{"key": f"a{i}", "value": "1"} for i in range(51)],
    ),
    batch("of a bad id", run_id="bad id!"),
    batch("of a stranger", run_id="nope"),
    batch("of nothing"),
    batch("with half a dataset", metrics=[{**POINT, "dataset_name": "x"}]),
    batch("with a dataset", metrics=[{**POINT, "dataset_name": "x", "dataset_digest": "y"}]),
    ("batch without run", "POST", "runs/log-batch", {}),
    ("logged by batch", "GET", "runs/get", "run_id=$run"),
    batch(
        "of a history",
        metrics=[{"key": "h", "value": i, "timestamp": 5 - i, "step": i} for i in range(5)],
    ),
    batch(
        "of strange points",
        metrics=[
            {"key": "h", "value": "NaN", "timestamp": 3, "step": 2},
            {"key": "h", "value": "-Infinity", "timestamp": 3, "step": 2},
            {"key": "h", "value": 2, "timestamp": 3, "step": 2},
        ],
    ),
    history("whole", "run_id=$run&metric_key=h"),
    (
        *history("first page", "run_id=$run&metric_key=h&max_results=3"),
        {"points": "next_page_token"},
    ),
    (
        *history("second page", "run_id=$run&metric_key=h&max_results=3&page_token=$points"),
        {"points2": "next_page_token"},
    ),
    history("last page", "run_id=$run&metric_key=h&max_results=3&page_token=$points2"),
    history("of no points", "run_id=$run&metric_key=h&max_results=0"),
    history("of fewer than none", "run_id=$run&metric_key=h&max_results=-1"),
    history("with a bad token", "run_id=$run&metric_key=h&page_token=zz"),
    history("of an unknown key", "run_id=$run&metric_key=none"),
    history("of a stranger", "run_id=nope&metric_key=h"),
    history("without key", "run_id=$run"),
    history("without run", "metric_key=h"),
    (
        "samples",
        "GET",
        "metrics/get-history-bulk-interval",
        "run_ids=$run&metric_key=h&max_results=3",
    ),
    (
        "one sample",
        "GET",
        "metrics/get-history-bulk-interval",
        "run_ids=$run&metric_key=h&max_results=1",
    ),
    (
        "all samples",
        "GET",
        "metrics/get-history-bulk-interval",
        "run_ids=$run&metric_key=h&max_results=9",
    ),
    (
        "samples of some steps",
        "GET",
        "metrics/get-history-bulk-interval",
        "run_ids=$run&metric_key=h&max_results=3&start_step=1&end_step=2",
    ),
    (
        "samples of half a range",
        "GET",
        "metrics/get-history-bulk-interval",
        "run_ids=$run&metric_key=h&start_step=1",
    ),
    (
        "samples of a turned range",
        "GET",
        "metrics/get-history-bulk-interval",
        "run_ids=$run&metric_key=h&start_step=2&end_step=1",
    ),
    (
        "too many samples",
        "GET",
        "metrics/get-history-bulk-interval",
        "run_ids=$run&metric_key=h&max_results=3000",
    ),
    ("samples without run", "GET", "metrics/get-history-bulk-interval", "metric_key=h"),
    used("new"),
    used("again"),
    used("with a long name", name="n" * 501),
    used("with a long digest", digest="n" * 37),
    used("with a long source", source="n" * 65_536),
    used("without a schema", name="plain", schema="", profile=""),
    ("datasets of a number", "POST", "runs/log-inputs", {"run_id": "$run", "datasets": 5}),
    ("no datasets", "POST", "runs/log-inputs", {"run_id": "$run"}),
    (
        "datasets of a stranger",
        "POST",
        "runs/log-inputs",
        {"run_id": "nope", "datasets": [DATASET]},
    ),
    ("datasets of a bad id", "POST", "runs/log-inputs", {"run_id": "no pe", "datasets": [DATASET]}),
    ("used model", "POST", "runs/log-inputs", {"run_id": "$run", "models": [{"model_id": "m-1"}]}),
    ("made no models", "POST", "runs/outputs", {"run_id": "$run"}),
    ("made an empty list", "POST", "runs/outputs", {"run_id": "$run", "models": []}),
    (
        "made a model",
        "POST",
        "runs/outputs",
        {"run_id": "$run", "models": [{"model_id": "m-1", "step": 3}]},
    ),
    (
        "made by a stranger",
        "POST",
        "runs/outputs",
        {"run_id": "nope", "models": [{"model_id": "m-1"}]},
    ),
    ("old model", "POST", "runs/log-model", {"run_id": "$run", "model_json": MODEL}),
    ("old model again", "POST", "runs/log-model", {"run_id": "$run", "model_json": MODEL}),
    ("old model of nothing", "POST", "runs/log-model", {"run_id": "$run", "model_json": "{}"}),
    ("old model of no JSON", "POST", "runs/log-model", {"run_id": "$run", "model_json": "{"}),
    ("inputs and outputs", "GET", "runs/get", "run_id=$run"),
    ("search what was logged", "POST", "runs/search", {"experiment_ids": ["$exp"]}),
    ("put the logged aside", "POST", "runs/delete", {"run_id": "$run"}),
    metric("when aside"),
    pair("param", "when aside", key="q", value="1"),
    pair("tag", "when aside", key="q", value="1"),
    pair("untag", "when aside", key="t"),
    batch("when aside"),
    used("when aside"),
    (
        "made when aside",
        "POST",
        "runs/outputs",
        {"run_id": "$run", "models": [{"model_id": "m-2"}]},
    ),
    ("old model when aside", "POST", "runs/log-model", {"run_id": "$run", "model_json": MODEL}),
    ("history when aside", "GET", "metrics/get-history", "run_id=$run&metric_key=m"),
]
