"""Logged models."""

from tests.conformance.cases import Case, Request
from tests.conformance.generated import CHOICE, LIST, Field, Table
from tests.conformance.tables.making import (
    TAG,
    UNKNOWN_EXPERIMENT,
    UNKNOWN_MODEL,
    UNKNOWN_RUN,
    case,
    experiment,
    model,
    post,
    run,
)

SECTION = "Logged models"
_PARAM = {"key": "depth", "value": "3"}
_SEE = Request("GET", "2.0/mlflow/logged-models/$model")
_IDS = (UNKNOWN_MODEL, "x", "m-x", UNKNOWN_RUN, "M-" + "A" * 32, "m-" + "0" * 33)
GONE = (model("gone"), Request("DELETE", "2.0/mlflow/logged-models/$gone"))
BEFORE = (experiment(), run(), model(params=[_PARAM], tags=[TAG]), *GONE)


def asked(method: str, tail: str = "", body: object = None) -> list[Case]:
    """Of ids that no model has, of a deleted one, and with a `/` at the end."""
    found = [
        case(f"id {odd!r}", Request(method, f"2.0/mlflow/logged-models/{odd}{tail}", body=body))
        for odd in _IDS
    ]
    gone = Request(method, f"2.0/mlflow/logged-models/$gone{tail}", body=body)
    return [*found, case("a deleted model", gone)]


_CREATE = Table(
    SECTION,
    "POST",
    "2.0/mlflow/logged-models",
    good={
        "experiment_id": "$exp",
        "name": "net",
        "model_type": "Agent",
        "source_run_id": "$run",
        "params": [_PARAM],
        "tags": [TAG],
    },
    fields=[
        Field("experiment_id"),
        Field("name", limit=500),
        Field("model_type", limit=500),
        Field("source_run_id"),
        Field("params", LIST, limit=100, filling={"key": "p$i", "value": "v"}),
        Field("params.0.key", limit=255),
        Field("params.0.value", limit=250),
        Field("tags", LIST, limit=100, filling={"key": "t$i", "value": "v"}),
        Field("tags.0.key", limit=255),
        Field("tags.0.value", limit=8000),
    ],
    before=[
        experiment(),
        run(),
        experiment("away"),
        post("experiments/delete", {"experiment_id": "$away"}),
    ],
    extra=[
        case("seen", model(), _SEE),
        case("without a name", model(name="")),
        *(
            case(f"name {odd!r}", model(name=odd))
            for odd in ("a/b", "a:b", "a.b", "a%", "'", '"', " ")
        ),
        case("an unknown experiment", model(experiment_id=UNKNOWN_EXPERIMENT)),
        case("no experiment's id", model(experiment_id="abc")),
        case("a deleted experiment", model(experiment_id="$away")),
        case("an unknown run", model(source_run_id=UNKNOWN_RUN)),
        case("a param twice", model(params=[_PARAM, _PARAM])),
        case("a tag twice", model(tags=[TAG, {**TAG, "value": "red"}])),
        case("repeated", model(), model()),
        case("long params", model(params=[{"key": "k", "value": "v" * 6001}])),
    ],
)
_GET = Table(
    SECTION,
    "GET",
    "2.0/mlflow/logged-models/{model_id}",
    place="2.0/mlflow/logged-models/$model",
    before=BEFORE,
    extra=[
        *asked("GET"),
        *(
            case(f"a deleted one, {query}", Request("GET", "2.0/mlflow/logged-models/$gone", query))
            for query in (
                "allow_deleted=true",
                "allow_deleted=TRUE",
                "allow_deleted=1",
                "allow_deleted=",
            )
        ),
        case("by HEAD", Request("HEAD", "2.0/mlflow/logged-models/$model")),
        case("with / at the end", Request("GET", "2.0/mlflow/logged-models/$model/")),
    ],
)
_FINALIZE = Table(
    SECTION,
    "PATCH",
    "2.0/mlflow/logged-models/{model_id}",
    place="2.0/mlflow/logged-models/$model",
    good={"model_id": "$model", "status": "LOGGED_MODEL_READY"},
    fields=[Field("model_id"), Field("status", CHOICE)],
    before=BEFORE,
    after=[_SEE],
    extra=[
        *asked("PATCH", body={"model_id": "$model", "status": "LOGGED_MODEL_READY"}),
        *(
            case(
                f"status {status}",
                Request(
                    "PATCH",
                    "2.0/mlflow/logged-models/$model",
                    body={"model_id": "$model", "status": status},
                ),
            )
            for status in (
                "LOGGED_MODEL_PENDING",
                "LOGGED_MODEL_UPLOAD_FAILED",
                "READY",
                0,
                3,
                "2",
                4,
            )
        ),
        *(
            case(
                f"the body's id {odd!r}",
                Request(
                    "PATCH", "2.0/mlflow/logged-models/$model", body={"model_id": odd, "status": 2}
                ),
            )
            for odd in (*_IDS, "$gone")
        ),
    ],
)
_DELETE = Table(
    SECTION,
    "DELETE",
    "2.0/mlflow/logged-models/{model_id}",
    place="2.0/mlflow/logged-models/$model",
    before=BEFORE,
    after=[_SEE],
    extra=[
        *asked("DELETE"),
        case("repeated", Request("DELETE", "2.0/mlflow/logged-models/$model"), _SEE),
    ],
)
_SET_TAGS = Table(
    SECTION,
    "PATCH",
    "2.0/mlflow/logged-models/{model_id}/tags",
    place="2.0/mlflow/logged-models/$model/tags",
    good={"tags": [TAG]},
    fields=[
        Field("tags", LIST, limit=100, filling={"key": "t$i", "value": "v"}),
        Field("tags.0.key", limit=255),
        Field("tags.0.value", limit=8000),
    ],
    before=BEFORE,
    extra=[
        *asked("PATCH", "/tags", {"tags": [TAG]}),
        case("seen", _SEE),
        case(
            "another value",
            Request(
                "PATCH",
                "2.0/mlflow/logged-models/$model/tags",
                body={"tags": [{**TAG, "value": "2"}]},
            ),
            _SEE,
        ),
        *(
            case(
                f"key {odd!r}",
                Request(
                    "PATCH",
                    "2.0/mlflow/logged-models/$model/tags",
                    body={"tags": [{"key": odd, "value": "v"}]},
                ),
            )
            for odd in ("../a", "a!", "", " ", "ä")
        ),
    ],
)
_DELETE_TAG = Table(
    SECTION,
    "DELETE",
    "2.0/mlflow/logged-models/{model_id}/tags/{tag_key}",
    place="2.0/mlflow/logged-models/$model/tags/team",
    before=BEFORE,
    after=[_SEE],
    extra=[
        *asked("DELETE", "/tags/team"),
        *(
            case(f"key {odd!r}", Request("DELETE", f"2.0/mlflow/logged-models/$model/tags/{odd}"))
            for odd in ("none", "%20", "a%2Fb", "..", "x" * 300)
        ),
    ],
)
_PARAMS = Table(
    SECTION,
    "POST",
    "2.0/mlflow/logged-models/{model_id}/params",
    place="2.0/mlflow/logged-models/$model/params",
    good={"model_id": "$model", "params": [{"key": "$new", "value": "5"}]},
    fields=[
        Field("model_id"),
        Field("params", LIST, limit=100, filling={"key": "$new-$i", "value": "v"}),
        Field("params.0.key", limit=255),
        Field("params.0.value", limit=6000),
    ],
    before=BEFORE,
    extra=[
        *asked("POST", "/params", {"model_id": "$model", "params": [_PARAM]}),
        case("seen", _SEE),
        case(
            "another value",
            Request(
                "POST",
                "2.0/mlflow/logged-models/$model/params",
                body={"model_id": "$model", "params": [{**_PARAM, "value": "4"}]},
            ),
            _SEE,
        ),
    ],
)
TABLES = [_CREATE, _GET, _FINALIZE, _DELETE, _SET_TAGS, _DELETE_TAG, _PARAMS]
