"""Experiments."""

from tests.conformance.cases import AJAX, Case
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
    see_experiment,
    see_run,
)

SECTION = "Experiments"
_EXPERIMENT_ID = Field("experiment_id")
_IDS = ("abc", " $exp ", "-1", "2147483648", "9" * 30, UNKNOWN_EXPERIMENT, "0x1", "1_0", "1.0")
_DELETED = (experiment("gone"), post("experiments/delete", {"experiment_id": "$gone"}))


def _ids(method: str, path: str, **more: object) -> list[Case]:
    """The ids that no experiment has."""
    if method == "GET":
        return [
            case(f"id {odd!r}", get(path, f"experiment_id={odd.replace(' ', '%20')}"))
            for odd in _IDS
        ]
    return [case(f"id {odd!r}", post(path, {"experiment_id": odd, **more})) for odd in _IDS]


_TAG_FIELDS = [
    Field("tags", LIST),
    Field("tags.0.key", limit=250),
    Field("tags.0.value", limit=20_000),
]
_CREATE = Table(
    SECTION,
    "POST",
    "2.0/mlflow/experiments/create",
    good={"name": "$new", "tags": [TAG]},
    fields=[Field("name", limit=500, filling="$new"), Field("artifact_location"), *_TAG_FIELDS],
    before=[experiment(), *_DELETED, post("experiments/create", {"name": "$mark"})],
    extra=[
        case("seen", experiment("made", tags=[TAG]), see_experiment("made")),
        case("the same name", post("experiments/create", {"name": "$mark"})),
        case("a deleted one's name", experiment("x"), *_DELETED),
        case("Default", post("experiments/create", {"name": "Default"})),
        case(
            "a tag twice",
            experiment("twice", tags=[TAG, {**TAG, "value": "red"}]),
            see_experiment("twice"),
        ),
        case("a tag that climbs", experiment(tags=[{"key": "../a", "value": ""}])),
        case("a tag of odd characters", experiment(tags=[{"key": "a!b", "value": ""}])),
        case("a name with NUL", post("experiments/create", {"name": "$new\0"})),
        case("a name of spaces", post("experiments/create", {"name": "  $new "})),
        case(
            "over fifty custom views",
            experiment(
                tags=[{"key": f"mlflow.customView.view{i}", "value": ""} for i in range(51)]
            ),
        ),
    ],
)
_GET = Table(
    SECTION,
    "GET",
    "2.0/mlflow/experiments/get",
    good={"experiment_id": "$exp"},
    fields=[_EXPERIMENT_ID],
    before=[experiment(tags=[TAG]), *_DELETED],
    extra=[
        *_ids("GET", "experiments/get"),
        case("deleted", see_experiment("gone")),
        case("the default one", get("experiments/get", "experiment_id=0")),
    ],
)
_BY_NAME = Table(
    SECTION,
    "GET",
    "2.0/mlflow/experiments/get-by-name",
    good={"experiment_name": "Default"},
    fields=[Field("experiment_name")],
    before=[post("experiments/create", {"name": "by name $new"}, exp="experiment_id"), *_DELETED],
    extra=[
        case("unknown", get("experiments/get-by-name", "experiment_name=no-such")),
        case("another case", get("experiments/get-by-name", "experiment_name=default")),
        case("long", get("experiments/get-by-name", f"experiment_name={'x' * 501}")),
        case(
            "deleted",
            post("experiments/create", {"name": "$mark gone"}, soon="experiment_id"),
            post("experiments/delete", {"experiment_id": "$soon"}),
            get("experiments/get-by-name", "experiment_name=$mark%20gone"),
        ),
    ],
)
_UPDATE = Table(
    SECTION,
    "POST",
    "2.0/mlflow/experiments/update",
    good={"experiment_id": "$exp", "new_name": "$new"},
    fields=[_EXPERIMENT_ID, Field("new_name", limit=500, filling="$new")],
    before=[experiment(), *_DELETED],
    after=[],
    extra=[
        *_ids("POST", "experiments/update", new_name="$new"),
        case("deleted", post("experiments/update", {"experiment_id": "$gone", "new_name": "$new"})),
        case("taken", post("experiments/update", {"experiment_id": "$exp", "new_name": "Default"})),
        case(
            "its own name",
            post("experiments/update", {"experiment_id": "$exp", "new_name": "$mark own"}),
            post("experiments/update", {"experiment_id": "$exp", "new_name": "$mark own"}),
            see_experiment(),
        ),
    ],
)
_DELETE = Table(
    SECTION,
    "POST",
    "2.0/mlflow/experiments/delete",
    good={"experiment_id": "$exp"},
    fields=[_EXPERIMENT_ID],
    before=[experiment(), run(), experiment("other"), *_DELETED],
    after=[see_experiment(), see_run(), post("experiments/restore", {"experiment_id": "$exp"})],
    extra=[
        *_ids("POST", "experiments/delete"),
        case("deleted", post("experiments/delete", {"experiment_id": "$gone"})),
    ],
)
_RESTORE = Table(
    SECTION,
    "POST",
    "2.0/mlflow/experiments/restore",
    good={"experiment_id": "$exp"},
    fields=[_EXPERIMENT_ID],
    before=[experiment(), run(), post("experiments/delete", {"experiment_id": "$exp"})],
    after=[see_experiment(), see_run(), post("experiments/delete", {"experiment_id": "$exp"})],
    extra=[
        *_ids("POST", "experiments/restore"),
        case("repeated", *[post("experiments/restore", {"experiment_id": "$exp"})] * 2),
    ],
)
_SET_TAG = Table(
    SECTION,
    "POST",
    "2.0/mlflow/experiments/set-experiment-tag",
    good={"experiment_id": "$exp", "key": "k", "value": "v"},
    fields=[_EXPERIMENT_ID, Field("key", limit=250), Field("value", limit=20_000)],
    before=[experiment(), *_DELETED],
    after=[],
    extra=[
        *_ids("POST", "experiments/set-experiment-tag", **TAG),
        case("deleted", post("experiments/set-experiment-tag", {"experiment_id": "$gone", **TAG})),
        case(
            "another value",
            post("experiments/set-experiment-tag", {"experiment_id": "$exp", "key": "k"}),
            see_experiment(),
        ),
        case("seen", see_experiment()),
        *(
            case(
                f"key {odd!r}",
                post(
                    "experiments/set-experiment-tag",
                    {"experiment_id": "$exp", "key": odd, "value": "v"},
                ),
            )
            for odd in ("../a", "/a", "a/../b", ".", "a//b", "a!", "ä", "a\nb", " ", "a\0b")
        ),
    ],
)
_DELETE_TAG = Table(
    SECTION,
    "POST",
    "2.0/mlflow/experiments/delete-experiment-tag",
    good={"experiment_id": "$exp", "key": "team"},
    fields=[_EXPERIMENT_ID, Field("key", limit=250)],
    before=[experiment(tags=[TAG]), *_DELETED],
    after=[post("experiments/set-experiment-tag", {"experiment_id": "$exp", **TAG})],
    extra=[
        *_ids("POST", "experiments/delete-experiment-tag", key="team"),
        case(
            "repeated",
            *[post("experiments/delete-experiment-tag", {"experiment_id": "$exp", "key": "team"})]
            * 2,
            see_experiment(),
        ),
        case(
            "deleted",
            post("experiments/delete-experiment-tag", {"experiment_id": "$gone", "key": "team"}),
        ),
    ],
)
_SEARCH_FIELDS = [
    Field("max_results", INTEGER),
    Field("page_token"),
    Field("filter", bounds=True),
    Field("order_by", LIST),
    Field("view_type", CHOICE),
]
_NAMED = {"filter": "name LIKE '$mark%'", "max_results": 10}
_TO_SEARCH = [
    post("experiments/create", {"name": f"$mark {i} $new", "tags": [TAG]}) for i in range(3)
]
_SEARCH_POST = Table(
    SECTION,
    "POST",
    "2.0/mlflow/experiments/search",
    good=_NAMED,
    fields=_SEARCH_FIELDS,
    before=_TO_SEARCH,
    extra=[
        case(
            "max_results at its limit",
            post("experiments/search", {**_NAMED, "max_results": 50_000}),
        ),
        case("max_results one over", post("experiments/search", {**_NAMED, "max_results": 50_001})),
        *(
            case(f"order {order!r}", post("experiments/search", {**_NAMED, "order_by": order}))
            for order in (
                ["name"],
                ["name DESC"],
                ["creation_time asc", "name"],
                ["experiment_id DESC"],
                ["nothing"],
                ["name sideways"],
                [""],
                ["name", "name"],
                ["last_update_time DESC"],
            )
        ),
        *(
            case(f"filter {odd!r}", post("experiments/search", {"max_results": 5, "filter": odd}))
            for odd in (
                "name",
                "name = ",
                "name = '$mark'",
                "nothing = 'a'",
                "name > 'a'",
                "tags.team = 'blue' AND name LIKE '$mark 1%'",
                "attribute.name ILIKE '$mark 1%'",
                "creation_time > 'a'",
                "name = 'a' OR name = 'b'",
            )
        ),
        case(
            "a page and the next",
            post("experiments/search", {**_NAMED, "max_results": 2}, page="next_page_token"),
            post("experiments/search", {**_NAMED, "max_results": 2, "page_token": "$page"}),
        ),
    ],
)
_SEARCH_GET = Table(
    SECTION,
    "GET",
    "2.0/mlflow/experiments/search",
    good={"max_results": 10, "filter": "name LIKE '$mark by get%'"},
    fields=_SEARCH_FIELDS,
    before=[post("experiments/create", {"name": f"$mark by get {i} $new"}) for i in range(3)],
    extra=[
        case(
            "orders repeated",
            get(
                "experiments/search",
                "max_results=2&order_by=name&order_by=creation_time&filter=name%20LIKE%20%27$mark%25%27",
            ),
        ),
        case(
            "only deleted",
            get("experiments/search", "max_results=1&view_type=DELETED_ONLY&filter=name%3D%27a%27"),
        ),
    ],
)
_DATASET = {"name": "d", "digest": "1", "source_type": "code", "source": "{}"}
_CONTEXT = {"key": "mlflow.data.context", "value": "training"}
_DATASETS = Table(
    SECTION,
    "POST",
    "2.0/mlflow/experiments/search-datasets",
    good={"experiment_ids": ["$exp"]},
    fields=[Field("experiment_ids", LIST, limit=20, filling="7999$i")],
    prefixes=AJAX,
    before=[
        experiment(),
        run(),
        post(
            "runs/log-inputs",
            {"run_id": "$run", "datasets": [{"dataset": _DATASET, "tags": [_CONTEXT]}]},
        ),
    ],
    extra=[
        case("unknown", post("experiments/search-datasets", {"experiment_ids": ["999999"]})),
        case("no number", post("experiments/search-datasets", {"experiment_ids": ["abc"]})),
        case("a run's id", post("experiments/search-datasets", {"experiment_ids": [UNKNOWN_RUN]})),
        case("twice", post("experiments/search-datasets", {"experiment_ids": ["$exp", "$exp"]})),
        case(
            "of a deleted run",
            post("runs/delete", {"run_id": "$run"}),
            post("experiments/search-datasets", {"experiment_ids": ["$exp"]}),
        ),
    ],
)
TABLES = [
    _CREATE,
    _GET,
    _BY_NAME,
    _UPDATE,
    _DELETE,
    _RESTORE,
    _SET_TAG,
    _DELETE_TAG,
    _SEARCH_POST,
    _SEARCH_GET,
    _DATASETS,
]
