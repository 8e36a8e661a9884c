"""Run logging."""

from tests.conformance.cases import Request
from tests.conformance.generated import INTEGER, LIST, NUMBER, Field, Table
from tests.conformance.tables.making import (
    TAG,
    UNKNOWN_MODEL,
    case,
    experiment,
    get,
    model,
    post,
    run,
    see_run,
)
from tests.conformance.tables.runs import GONE, RUN_ID, ids

SECTION = "Run logging"
_NAMES = ("../a", "/a", "a/../b", ".", "a//b", "a/", "a!", "ä", "a\nb", "a\n", " ", "a:b c-d/e.f")
_BEFORE = (experiment(), run(), *GONE)
_HISTORY = get("metrics/get-history", "run_id=$run&metric_key=m")
_POINT = {"key": "m", "value": 1.5, "timestamp": 5, "step": 2}


def _log(path: str, **more: object) -> Request:
    return post(path, {"run_id": "$run", **more})


def _point(**more: object) -> Request:
    return _log("runs/log-metric", **{**_POINT, **more})


def _bare(value: str) -> Request:
    """A point with what is no JSON number, before its other fields as a client sends it."""
    sent = f'{{"run_id": "$bare", "key": "b", "value": {value}, "timestamp": 5, "step": 2}}'
    return Request("POST", "2.0/mlflow/runs/log-metric", raw=sent.encode())


_METRIC = Table(
    SECTION,
    "POST",
    "2.0/mlflow/runs/log-metric",
    good={"run_id": "$run", **_POINT},
    fields=[
        RUN_ID,
        Field("key", limit=250),
        Field("value", NUMBER),
        Field("timestamp", INTEGER),
        Field("step", INTEGER),
        Field("model_id"),
        Field("dataset_name"),
        Field("dataset_digest"),
    ],
    before=[*_BEFORE, run("bare"), model()],
    extra=[
        *ids("runs/log-metric", **_POINT),
        *(case(f"key {odd!r}", _point(key=odd)) for odd in _NAMES),
        case("repeated", _point(), _point(), _HISTORY, see_run()),
        case("its history", _HISTORY),
        case("by its old name", post("runs/log-metric", {"run_uuid": "$run", **_POINT})),
        case("not-a-number", _point(key="n", value="NaN"), see_run()),
        case("infinity", _point(key="i", value="Infinity"), see_run()),
        case("less than infinity", _point(key="i", value="-Infinity", step=3), see_run()),
        case("the greatest float", _point(key="f", value=1.7976931348623157e308), see_run()),
        *(
            case(f"bare {bare}, seen", _bare(bare), see_run("bare"))
            for bare in ("NaN", "Infinity", "-Infinity")
        ),
        case("an older step", _point(step=1, value=9), see_run()),
        case("the same step later", _point(timestamp=9, value=0), see_run()),
        case("the same time, more", _point(timestamp=9, value=3), see_run()),
        case(
            "NaN as the latest", _point(step=99, value="NaN"), _point(step=99, value=-1), see_run()
        ),
        case("a late step", _point(key="s", step=2**63 - 1), see_run()),
        case("an early step", _point(key="s", step=-(2**63)), see_run()),
        case("a model", _point(model_id="$model"), see_run(), get("logged-models/$model")),
        case("an unknown model", _point(model_id=UNKNOWN_MODEL)),
        case("no model's id", _point(model_id="x")),
        case("a dataset", _point(key="d", dataset_name="d", dataset_digest="1"), see_run()),
        case("a dataset's name alone", _point(dataset_name="d")),
        case("a dataset's digest alone", _point(dataset_digest="1")),
        case("a long dataset", _point(dataset_name="d" * 501, dataset_digest="1")),
        case("a long digest", _point(dataset_name="d", dataset_digest="1" * 37)),
    ],
)


def _param(**more: object) -> Request:
    return _log("runs/log-parameter", **{"key": "p", "value": "1", **more})


_PARAM = Table(
    SECTION,
    "POST",
    "2.0/mlflow/runs/log-parameter",
    good={"run_id": "$run", "key": "$new", "value": "1"},
    fields=[RUN_ID, Field("key", limit=250), Field("value", limit=6000)],
    before=_BEFORE,
    extra=[
        *ids("runs/log-parameter", key="p", value="1"),
        *(case(f"key {odd!r}", _param(key=odd)) for odd in _NAMES),
        case("repeated", _param(), _param(), see_run()),
        case("another value", _param(), _param(value="2"), see_run()),
        case("an empty value", _param(key="e", value=""), _param(key="e"), see_run()),
        case("a long value again", *[_param(key="l", value="v" * 6001)] * 2, see_run()),
        case("a long value, changed", _param(key="l", value="w" * 6001)),
        case("by its old name", post("runs/log-parameter", {"run_uuid": "$run", "key": "o"})),
        case("a value with NUL", _param(key="z", value="a\0b")),
        case("odd characters", _param(key="u", value="ä\n\t\u2028\U0001f600"), see_run()),
    ],
)


def _tag(**more: object) -> Request:
    return _log("runs/set-tag", **{"key": "t", "value": "1", **more})


_SET_TAG = Table(
    SECTION,
    "POST",
    "2.0/mlflow/runs/set-tag",
    good={"run_id": "$run", "key": "t", "value": "1"},
    fields=[RUN_ID, Field("key", limit=250), Field("value", limit=8000)],
    before=_BEFORE,
    extra=[
        *ids("runs/set-tag", key="t", value="1"),
        *(case(f"key {odd!r}", _tag(key=odd)) for odd in _NAMES),
        case("repeated", _tag(), _tag(), see_run()),
        case("another value", _tag(value="2"), see_run()),
        case("the run's name", _tag(key="mlflow.runName", value="renamed"), see_run()),
        case("an empty name", _tag(key="mlflow.runName", value=""), see_run()),
        case("the user", _tag(key="mlflow.user", value="ada"), see_run()),
        case("a note", _tag(key="mlflow.note.content", value="# hello"), see_run()),
        case("a long name", _tag(key="mlflow.runName", value="n" * 251), see_run()),
    ],
)
_DELETE_TAG = Table(
    SECTION,
    "POST",
    "2.0/mlflow/runs/delete-tag",
    good={"run_id": "$run", "key": "team"},
    fields=[RUN_ID, Field("key", limit=250)],
    before=[experiment(), run(tags=[TAG]), *GONE],
    after=[_tag(**TAG)],
    extra=[
        *ids("runs/delete-tag", key="team"),
        case("repeated", *[_log("runs/delete-tag", key="team")] * 2, see_run()),
        case("the run's name", _log("runs/delete-tag", key="mlflow.runName"), see_run()),
        case("by its old name", post("runs/delete-tag", {"run_uuid": "$run", "key": "team"})),
    ],
)


def _batch(**more: object) -> Request:
    return _log("runs/log-batch", **more)


def _entries(metrics: int, params: int, tags: int) -> Request:
    return _batch(
        metrics=[{**_POINT, "key": f"m{i}"} for i in range(metrics)],
        params=[{"key": f"p{i}", "value": "v"} for i in range(params)],
        tags=[{"key": f"t{i}", "value": "v"} for i in range(tags)],
    )


_P = {"key": "bp", "value": "1"}
_BATCH = Table(
    SECTION,
    "POST",
    "2.0/mlflow/runs/log-batch",
    good={"run_id": "$run", "metrics": [_POINT], "params": [_P], "tags": [TAG]},
    fields=[
        RUN_ID,
        Field("metrics", LIST, limit=1000, filling={**_POINT, "key": "m$i"}),
        Field("metrics.0.key", limit=250),
        Field("metrics.0.value", NUMBER),
        Field("metrics.0.timestamp", INTEGER),
        Field("metrics.0.step", INTEGER),
        Field("params", LIST, limit=100, filling={"key": "p$i", "value": "v"}),
        Field("params.0.key", limit=250),
        Field("params.0.value", limit=6000),
        Field("tags", LIST, limit=100, filling={"key": "t$i", "value": "v"}),
        Field("tags.0.key", limit=250),
        Field("tags.0.value", limit=8000),
    ],
    before=[*_BEFORE, model()],
    extra=[
        *ids("runs/log-batch", metrics=[_POINT]),
        case(
            "seen",
            _batch(metrics=[{**_POINT, "key": "seen", "step": s} for s in range(3)]),
            get("metrics/get-history", "run_id=$run&metric_key=seen"),
        ),
        case("together at the limit", _entries(800, 100, 100)),
        case("together one over", _entries(801, 100, 100)),
        case("nothing", _batch(), see_run()),
        case("a param twice", _batch(params=[_P, _P])),
        case("a param changed", _batch(params=[{**_P, "value": "2"}])),
        case(
            "a param changed, and more",
            _batch(params=[{**_P, "value": "2"}, {"key": "q", "value": "1"}], metrics=[_POINT]),
            see_run(),
        ),
        case("a tag twice", _batch(tags=[TAG, {**TAG, "value": "red"}]), see_run()),
        case("a point twice", _batch(metrics=[{**_POINT, "key": "w"}] * 2), see_run()),
        case("a name that climbs", _batch(metrics=[_POINT, {**_POINT, "key": "../a"}])),
        case("a param that climbs", _batch(params=[{"key": "../a", "value": ""}])),
        case("a tag that climbs", _batch(tags=[_P, {"key": "../a", "value": ""}])),
        case(
            "a name in a tag", _batch(tags=[{"key": "mlflow.runName", "value": "new"}]), see_run()
        ),
        case("a model", _batch(metrics=[{**_POINT, "key": "b", "model_id": "$model"}]), see_run()),
        case("not-a-number", _batch(metrics=[{**_POINT, "key": "n", "value": "NaN"}]), see_run()),
        case(
            "the latest of many",
            _batch(metrics=[{**_POINT, "key": "o", "step": s, "value": s % 7} for s in range(20)]),
            see_run(),
        ),
    ],
)
TABLES = [_METRIC, _PARAM, _SET_TAG, _DELETE_TAG, _BATCH]
