"""Runs."""

from tests.conformance.cases import Case, Request
from tests.conformance.generated import CHOICE, INTEGER, LIST, Field, Table
from tests.conformance.tables.making import (
    TAG,
    UNKNOWN_EXPERIMENT,
    UNKNOWN_RUN,
    case,
    experiment,
    get,
    post,
    run,
    see_run,
)

SECTION = "Runs"
_IDS = (UNKNOWN_RUN, "x", "A" * 32, " $run", "$run ", "x" * 300, "../a", "$exp")
RUN_ID = Field("run_id")
GONE = (run("gone", start_time=500), post("runs/delete", {"run_id": "$gone"}))


def ids(path: str, **more: object) -> list[Case]:
    """The ids that no run has, and a deleted one."""
    unknown = [case(f"id {odd!r}", post(path, {"run_id": odd, **more})) for odd in _IDS]
    return [
        *unknown,
        case("a deleted run", post(path, {"run_id": "$gone", **more}), see_run("gone")),
    ]


_GOOD_RUN = {
    "experiment_id": "$exp",
    "user_id": "ada",
    "run_name": "first",
    "start_time": 1000,
    "tags": [TAG],
}
_NAMED = {"key": "mlflow.runName", "value": "tagged"}
_CREATE = Table(
    SECTION,
    "POST",
    "2.0/mlflow/runs/create",
    good=_GOOD_RUN,
    fields=[
        Field("experiment_id"),
        Field("user_id", limit=256),
        Field("run_name", limit=250),
        Field("start_time", INTEGER),
        Field("tags", LIST),
        Field("tags.0.key", limit=250),
        Field("tags.0.value", limit=8000),
    ],
    before=[
        experiment(),
        experiment("away"),
        post("experiments/delete", {"experiment_id": "$away"}),
    ],
    extra=[
        case("seen", run("made", tags=[TAG], user_id="ada"), see_run("made")),
        case("without a name", run("made", run_name=""), see_run("made")),
        case("named by its tag", run("made", run_name="", tags=[_NAMED]), see_run("made")),
        case("named twice alike", run("made", run_name="tagged", tags=[_NAMED]), see_run("made")),
        case("named twice otherwise", run("made", tags=[_NAMED])),
        case("a long name", run("made", run_name="n" * 251), see_run("made")),
        case(
            "a long name in a tag", run("made", tags=[{**_NAMED, "value": "n" * 9000}], run_name="")
        ),
        case("an unknown experiment", run(experiment_id=UNKNOWN_EXPERIMENT)),
        case("no experiment's id", run(experiment_id="abc")),
        case("a deleted experiment", run(experiment_id="$away")),
        case("a tag twice", run("made", tags=[TAG, {**TAG, "value": "red"}]), see_run("made")),
        case("a tag that climbs", run(tags=[{"key": "../a", "value": ""}])),
        case("a long tag", run("made", tags=[{"key": "k", "value": "v" * 8001}]), see_run("made")),
        case("a very late start", run("made", start_time=2**63 - 1), see_run("made")),
        case("an early start", run("made", start_time=-5), see_run("made")),
        case("a name with NUL", run(run_name="a\0b")),
        case("a source tag", run("made", tags=[{"key": "mlflow.source.name", "value": "x.py"}])),
        case("a parent", run("made", tags=[{"key": "mlflow.parentRunId", "value": UNKNOWN_RUN}])),
        case("repeated", run("made"), run("made")),
    ],
)
_GET = Table(
    SECTION,
    "GET",
    "2.0/mlflow/runs/get",
    good={"run_id": "$run"},
    fields=[RUN_ID, Field("run_uuid")],
    before=[
        experiment(),
        run(tags=[TAG]),
        *GONE,
        post(
            "runs/log-batch",
            {
                "run_id": "$run",
                "metrics": [{"key": "m", "value": 1, "timestamp": 5, "step": 2}],
                "params": [{"key": "p", "value": "1"}],
            },
        ),
    ],
    extra=[
        *(
            case(f"id {odd!r}", get("runs/get", f"run_id={odd.replace(' ', '%20')}"))
            for odd in _IDS
        ),
        case("deleted", see_run("gone")),
        case("by its old name", get("runs/get", "run_uuid=$run")),
        case("by both names", get("runs/get", "run_id=$run&run_uuid=$gone")),
    ],
)
_UPDATE = Table(
    SECTION,
    "POST",
    "2.0/mlflow/runs/update",
    good={"run_id": "$run", "status": "FINISHED", "end_time": 2000, "run_name": "second"},
    fields=[
        RUN_ID,
        Field("status", CHOICE),
        Field("end_time", INTEGER),
        Field("run_name", limit=250),
    ],
    before=[experiment(), run(), *GONE],
    after=[see_run()],
    extra=[
        *ids("runs/update", status="FINISHED"),
        *(
            case(
                f"status {status}",
                post("runs/update", {"run_id": "$run", "status": status}),
                see_run(),
            )
            for status in ("RUNNING", "SCHEDULED", "FAILED", "KILLED", "finished", 5)
        ),
        case("nothing", post("runs/update", {"run_id": "$run"}), see_run()),
        case("by its old name", post("runs/update", {"run_uuid": "$run", "status": "FAILED"})),
        case("an early end", post("runs/update", {"run_id": "$run", "end_time": 1}), see_run()),
        case(
            "a long name", post("runs/update", {"run_id": "$run", "run_name": "n" * 300}), see_run()
        ),
    ],
)
_DELETE = Table(
    SECTION,
    "POST",
    "2.0/mlflow/runs/delete",
    good={"run_id": "$run"},
    fields=[RUN_ID],
    before=[experiment(), run(), *GONE],
    after=[see_run(), post("runs/restore", {"run_id": "$run"})],
    extra=[
        *ids("runs/delete"),
        case("by its old name", post("runs/delete", {"run_uuid": "$run"})),
        case("repeated", *[post("runs/delete", {"run_id": "$run"})] * 2, see_run()),
    ],
)
_RESTORE = Table(
    SECTION,
    "POST",
    "2.0/mlflow/runs/restore",
    good={"run_id": "$run"},
    fields=[RUN_ID],
    before=[experiment(), run(), *GONE],
    after=[see_run(), post("runs/delete", {"run_id": "$run"})],
    extra=[
        *ids("runs/restore"),
        case("by its old name", post("runs/restore", {"run_uuid": "$run"})),
        case("repeated", *[post("runs/restore", {"run_id": "$run"})] * 2, see_run()),
        case(
            "of a deleted experiment",
            post("experiments/delete", {"experiment_id": "$exp"}),
            post("runs/restore", {"run_id": "$run"}),
            see_run(),
        ),
    ],
)
_SEARCH_GOOD = {
    "experiment_ids": ["$exp"],
    "filter": "metrics.m > 0",
    "run_view_type": "ACTIVE_ONLY",
    "max_results": 10,
    "order_by": ["metrics.m DESC"],
}


def _search(**more: object) -> Request:
    return post("runs/search", {"experiment_ids": ["$exp"], **more})


def _logged(name: str, value: float) -> Request:
    return post(
        "runs/log-batch",
        {
            "run_id": f"${name}",
            "metrics": [{"key": "m", "value": value, "timestamp": 5, "step": 2}],
            "params": [{"key": "p", "value": name}],
            "tags": [{"key": "t", "value": "x"}],
        },
    )


_SEARCH = Table(
    SECTION,
    "POST",
    "2.0/mlflow/runs/search",
    good=_SEARCH_GOOD,
    fields=[
        Field("experiment_ids", LIST),
        Field("filter"),
        Field("run_view_type", CHOICE),
        Field("max_results", INTEGER),
        Field("order_by", LIST),
        Field("page_token"),
    ],
    before=[
        experiment(),
        *(run(f"r{i}", start_time=1000 + i, run_name=f"n{i}") for i in range(5)),
        *(_logged(f"r{i}", i * 1.5 - 2) for i in range(5)),
        *GONE,
    ],
    extra=[
        case("max_results at its limit", _search(max_results=50_000)),
        case("max_results one over", _search(max_results=50_001)),
        case("max_results as a text", _search(max_results="2")),
        case("nothing but ids", _search()),
        case("no such experiment", post("runs/search", {"experiment_ids": [UNKNOWN_EXPERIMENT]})),
        case("no number", post("runs/search", {"experiment_ids": ["abc"]})),
        case("an experiment twice", post("runs/search", {"experiment_ids": ["$exp", "$exp"]})),
        *(
            case(f"view {view}", _search(run_view_type=view))
            for view in ("ALL", "DELETED_ONLY", "3", 2)
        ),
        *(
            case(f"order {order}", _search(order_by=order))
            for order in (
                ["start_time ASC"],
                ["attributes.start_time", "metrics.m"],
                ["params.p DESC"],
                ["tags.t"],
                ["attribute.run_name desc"],
                ["metrics.none"],
                ["end_time", "attributes.status"],
            )
        ),
        *(
            case(f"filter {given}", _search(filter=given))
            for given in (
                "params.p = 'r1'",
                "tags.t LIKE 'X'",
                "tags.t ILIKE 'X'",
                "attributes.run_name IN ('n1', 'n2')",
                "metrics.m >= 1 and params.p != 'r4'",
                "attributes.start_time > 1000",
                "tags.`mlflow.runName` = 'n3'",
            )
        ),
        case(
            "page by page",
            post(
                "runs/search",
                {"experiment_ids": ["$exp"], "max_results": 2},
                page="next_page_token",
            ),
            post(
                "runs/search",
                {"experiment_ids": ["$exp"], "max_results": 2, "page_token": "$page"},
                page="next_page_token",
            ),
            _search(max_results=2, page_token="$page"),
        ),
    ],
)
TABLES = [_CREATE, _GET, _UPDATE, _DELETE, _RESTORE, _SEARCH]
