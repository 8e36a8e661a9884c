"""Searches of experiments and of their datasets."""

from tests.conformance.cases import AJAX
from tests.conformance.generated import CHOICE, INTEGER, LIST, Field, Table
from tests.conformance.tables.experiments import SECTION
from tests.conformance.tables.making import TAG, UNKNOWN_RUN, case, experiment, get, post, run

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
TABLES = [_SEARCH_POST, _SEARCH_GET, _DATASETS]
