"""Experiments."""

from tests.conformance.cases import Case
from tests.conformance.generated import LIST, Field, Table
from tests.conformance.tables.making import (
    TAG,
    UNKNOWN_EXPERIMENT,
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
        *(
            case(f"artifact_location {given!r}", experiment(artifact_location=given))
            for given in (
                "s3://bucket/x",
                "mlflow-artifacts:/x",
                "relative",
                "file:///x",
                "x#y",
            )
        ),
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
TABLES = [_CREATE, _GET, _BY_NAME, _UPDATE, _DELETE, _RESTORE, _SET_TAG, _DELETE_TAG]
