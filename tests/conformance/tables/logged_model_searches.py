"""Logged models: searches, and their files."""

from tests.conformance.cases import AJAX, Request
from tests.conformance.generated import INTEGER, LIST, Field, Table
from tests.conformance.tables.logged_models import BEFORE, GONE, SECTION, asked
from tests.conformance.tables.making import case, experiment, model, post, run


def _search(**more: object) -> Request:
    return post("logged-models/search", {"experiment_ids": ["$exp"], **more})


def _measured(name: str, value: float) -> Request:
    point = {"key": "acc", "value": value, "timestamp": 1, "step": 1, "model_id": f"${name}"}
    dataset = {"dataset_name": "d", "dataset_digest": name}
    return post("runs/log-batch", {"run_id": "$run", "metrics": [{**point, **dataset}]})


_SEARCH = Table(
    SECTION,
    "POST",
    "2.0/mlflow/logged-models/search",
    good={
        "experiment_ids": ["$exp"],
        "filter": "name LIKE 'n%'",
        "max_results": 10,
        "order_by": [{"field_name": "name", "ascending": True}],
    },
    fields=[
        Field("experiment_ids", LIST),
        Field("filter"),
        Field("datasets", LIST),
        Field("max_results", INTEGER),
        Field("order_by", LIST),
        Field("page_token"),
    ],
    before=[
        experiment(),
        run(),
        *(model(f"n{i}", name=f"n{i}", params=[{"key": "p", "value": str(i)}]) for i in range(4)),
        *(_measured(f"n{i}", i % 3) for i in range(4)),
        *GONE,
    ],
    extra=[
        case("nothing but ids", _search()),
        case("max_results at its limit", _search(max_results=1000)),
        case("max_results one over", _search(max_results=1001)),
        case("no such experiment", post("logged-models/search", {"experiment_ids": ["999999"]})),
        case("no number", post("logged-models/search", {"experiment_ids": ["abc"]})),
        case("a dataset", _search(datasets=[{"dataset_name": "d"}], filter="metrics.acc > 0")),
        case("a dataset without name", _search(datasets=[{"dataset_digest": "n1"}])),
        *(
            case(f"order {order}", _search(order_by=[{"field_name": order}]))
            for order in ("metrics.acc", "creation_timestamp", "nothing", "", "params.p")
        ),
        case("downwards", _search(order_by=[{"field_name": "name", "ascending": False}])),
        case("by a text", _search(order_by=[{"field_name": "name", "ascending": "no"}])),
        case(
            "page by page",
            post(
                "logged-models/search",
                {"experiment_ids": ["$exp"], "max_results": 3},
                page="next_page_token",
            ),
            _search(max_results=3, page_token="$page"),
        ),
    ],
)
_FILES = "2.0/mlflow/logged-models/$model/artifacts"
_UPLOADED = (
    *BEFORE,
    *(
        Request(
            "PUT",
            f"2.0/mlflow-artifacts/artifacts/$exp/models/$model/artifacts/{name}",
            raw=b"some bytes",
            content_type=None,
        )
        for name in ("MLmodel", "data/model.pkl")
    ),
)
_DIRECTORIES = Table(
    SECTION,
    "GET",
    "2.0/mlflow/logged-models/{model_id}/artifacts/directories",
    place=f"{_FILES}/directories",
    good={"artifact_directory_path": "data"},
    fields=[Field("artifact_directory_path")],
    before=_UPLOADED,
    extra=[
        *asked("GET", "/artifacts/directories"),
        case("the uppermost", Request("GET", f"{_FILES}/directories")),
        *(
            case(
                f"path {odd!r}",
                Request("GET", f"{_FILES}/directories", f"artifact_directory_path={odd}"),
            )
            for odd in ("none", "MLmodel", "..", "../..", "/etc", "data/", "data/../data", "a%00b")
        ),
    ],
)
_FILE = Table(
    SECTION,
    "GET",
    "2.0/mlflow/logged-models/{model_id}/artifacts/files",
    place=f"{_FILES}/files",
    good={"artifact_file_path": "data/model.pkl"},
    prefixes=AJAX,
    before=_UPLOADED,
    extra=[
        *asked("GET", "/artifacts/files"),
        *(
            case(f"path {odd!r}", Request("GET", f"{_FILES}/files", f"artifact_file_path={odd}"))
            for odd in ("none", "MLmodel", "data", "..", "../../x", "/etc/passwd", "", "a%00b")
        ),
        case("no path", Request("GET", f"{_FILES}/files")),
    ],
)
TABLES = [_SEARCH, _DIRECTORIES, _FILE]
