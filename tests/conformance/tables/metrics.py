"""Metric history."""

from tests.conformance.cases import AJAX, Request
from tests.conformance.generated import INTEGER, LIST, Field, Table
from tests.conformance.tables.making import UNKNOWN_RUN, case, experiment, get, post, run
from tests.conformance.tables.runs import GONE, RUN_ID

SECTION = "Metric history"


def _points(name: str, count: int) -> Request:
    points = [
        {"key": "m", "value": (i * 7) % 5 - 1, "timestamp": 1000 + i // 2, "step": i}
        for i in range(count)
    ]
    return post("runs/log-batch", {"run_id": f"${name}", "metrics": points})


_ODD = {
    "run_id": "$run",
    "metrics": [
        {"key": "odd/n", "value": value, "timestamp": 1, "step": step}
        for step, value in enumerate((1, "NaN", "Infinity", "-Infinity", 1, 0.1))
    ],
}
_BEFORE = [
    experiment(),
    run(),
    run("second"),
    *GONE,
    _points("run", 30),
    _points("second", 4),
    post("runs/log-batch", _ODD),
]
_ODD_KEY = "metric_key=odd/n"


def _history(query: str, **keep: str) -> Request:
    return Request("GET", "2.0/mlflow/metrics/get-history", query, keep=keep)


_HISTORY = Table(
    SECTION,
    "GET",
    "2.0/mlflow/metrics/get-history",
    good={"run_id": "$run", "metric_key": "m"},
    fields=[
        RUN_ID,
        Field("run_uuid"),
        Field("metric_key"),
        Field("page_token"),
        Field("max_results", INTEGER),
    ],
    before=_BEFORE,
    extra=[
        case("an unknown run", _history(f"run_id={UNKNOWN_RUN}&metric_key=m")),
        case("no run's id", _history("run_id=x&metric_key=m")),
        case("a deleted run", _history("run_id=$gone&metric_key=m")),
        case("an unknown metric", _history("run_id=$run&metric_key=none")),
        case("odd numbers", _history(f"run_id=$run&{_ODD_KEY}")),
        case("by its old name", _history("run_uuid=$run&metric_key=m")),
        case(
            "repeated", _history("run_id=$run&metric_key=m"), _history("run_id=$run&metric_key=m")
        ),
        case(
            "page by page",
            _history("run_id=$run&metric_key=m&max_results=12", page="next_page_token"),
            _history(
                "run_id=$run&metric_key=m&max_results=12&page_token=$page", page="next_page_token"
            ),
            _history("run_id=$run&metric_key=m&max_results=12&page_token=$page"),
        ),
        case("a whole page", _history("run_id=$run&metric_key=m&max_results=30")),
        case("a large page", _history("run_id=$run&metric_key=m&max_results=1000000")),
    ],
)


def _bulk(query: str) -> Request:
    return get("metrics/get-history-bulk", query)


_BOTH_RUNS = "run_id=$run&run_id=$second"
_BULK = Table(
    SECTION,
    "GET",
    "2.0/mlflow/metrics/get-history-bulk",
    good={"run_id": ["$run"], "metric_key": "m"},
    fields=[RUN_ID, Field("metric_key"), Field("max_results", INTEGER)],
    prefixes=AJAX,
    before=_BEFORE,
    extra=[
        case("runs at the limit", _bulk("&".join(["metric_key=m", *["run_id=$run"] * 100]))),
        case("runs one over", _bulk("&".join(["metric_key=m", *["run_id=$run"] * 101]))),
        case("an unknown run", _bulk(f"run_id={UNKNOWN_RUN}&metric_key=m")),
        case("no run's id", _bulk("run_id=x&metric_key=m")),
        case("a deleted run", _bulk("run_id=$gone&metric_key=m")),
        case("an unknown metric", _bulk("run_id=$run&metric_key=none")),
        case("max_results at its limit", _bulk("run_id=$run&metric_key=m&max_results=25000")),
        case("max_results one over", _bulk("run_id=$run&metric_key=m&max_results=25001")),
        case("a few", _bulk("run_id=$run&metric_key=m&max_results=3")),
        case("less than none", _bulk("run_id=$run&metric_key=m&max_results=-2")),
        case("odd numbers", _bulk(f"run_id=$run&{_ODD_KEY}")),
    ],
)


def _interval(query: str) -> Request:
    return get("metrics/get-history-bulk-interval", query)


_ONE = "run_ids=$run&metric_key=m"
_INTERVAL = Table(
    SECTION,
    "GET",
    "2.0/mlflow/metrics/get-history-bulk-interval",
    good={"run_ids": ["$run"], "metric_key": "m", "max_results": 10},
    fields=[
        Field("run_ids", LIST),
        Field("metric_key"),
        Field("start_step", INTEGER),
        Field("end_step", INTEGER),
        Field("max_results", INTEGER),
    ],
    before=_BEFORE,
    extra=[
        case("runs at the limit", _interval("&".join(["metric_key=m", *["run_ids=$run"] * 100]))),
        case("runs one over", _interval("&".join(["metric_key=m", *["run_ids=$run"] * 101]))),
        case("two runs", _interval(f"{_ONE}&run_ids=$second&max_results=5")),
        case("an unknown run", _interval(f"run_ids={UNKNOWN_RUN}&metric_key=m")),
        case("a deleted run", _interval("run_ids=$gone&metric_key=m")),
        case("an unknown metric", _interval("run_ids=$run&metric_key=none")),
        case("max_results at its limit", _interval(f"{_ONE}&max_results=2500")),
        case("max_results one over", _interval(f"{_ONE}&max_results=2501")),
        *(
            case(f"{more}", _interval(f"{_ONE}&{more}"))
            for more in (
                "start_step=5&end_step=20",
                "start_step=5&end_step=20&max_results=4",
                "start_step=20&end_step=5",
                "start_step=5",
                "end_step=5",
                "start_step=7&end_step=7",
                "start_step=100&end_step=200",
                "start_step=-5&end_step=3",
                "max_results=1",
                "max_results=7",
                "max_results=29",
            )
        ),
        case("odd numbers", _interval(f"run_ids=$run&{_ODD_KEY}")),
    ],
)
TABLES = [_HISTORY, _BULK, _INTERVAL]
