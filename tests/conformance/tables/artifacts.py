"""Artifacts: proxied, and those of a run."""

from tests.conformance.cases import AJAX, BARE, Case, Request
from tests.conformance.generated import Field, Table
from tests.conformance.tables.making import UNKNOWN_RUN, case, experiment, post, run
from tests.conformance.tables.runs import GONE, RUN_ID

PROXIED = "Artifacts, proxied"
OF_RUNS = "Artifacts, tracking"
_BYTES = "2.0/mlflow-artifacts/artifacts"
_ROOT = f"{_BYTES}/$exp/$run/artifacts"
_CLIMBING = ("..", "../x", "a/../../x", "%2e%2e/x", "..%2Fx", "%252e%252e/x", "a%5C..%5Cx", "C:/x")
_ODD = ("none", "data", "data/", "./a.txt", "a%20b.txt", "%C3%A4.txt", "a%23b.txt", "a%00b")


def _put(name: str, content: bytes = b"some bytes\n") -> Request:
    return Request("PUT", f"{_ROOT}/{name}", raw=content, content_type=None)


def _get(name: str) -> Request:
    return Request("GET", f"{_ROOT}/{name}")


_FILES = ("a.txt", "data/b.json", "data/deep/c.bin", "page.html", "none-such.kind", "a%20b.txt")
_BEFORE = [experiment(), run(), *GONE, *(_put(name) for name in _FILES)]


def _paths(method: str, names: tuple[str, ...]) -> list[Case]:
    return [
        case(f"path {odd!r}", Request(method, f"{_ROOT}/{odd}", content_type=None)) for odd in names
    ]


_LIST = Table(
    PROXIED,
    "GET",
    "2.0/mlflow-artifacts/artifacts",
    good={"path": "$exp/$run/artifacts"},
    fields=[Field("path", bounds=True)],
    before=_BEFORE,
    extra=[
        *(
            case(f"path {odd!r}", Request("GET", _BYTES, f"path=$exp/$run/artifacts/{odd}"))
            for odd in (*_ODD, *_CLIMBING, "a.txt", "data/deep")
        ),
        case("an unknown experiment", Request("GET", _BYTES, "path=999999/x/artifacts")),
    ],
)
_DOWNLOAD = Table(
    PROXIED,
    "GET",
    "2.0/mlflow-artifacts/artifacts/{artifact_path}",
    place=f"{_ROOT}/a.txt",
    before=_BEFORE,
    extra=[
        *_paths("GET", (*_FILES, *_ODD, *_CLIMBING)),
        case("by HEAD", Request("HEAD", f"{_ROOT}/a.txt")),
        case("with a query", Request("GET", f"{_ROOT}/a.txt", "x=1")),
        case("of an unknown run", Request("GET", f"{_BYTES}/$exp/{UNKNOWN_RUN}/artifacts/a.txt")),
    ],
)
_UPLOAD = Table(
    PROXIED,
    "PUT",
    "2.0/mlflow-artifacts/artifacts/{artifact_path}",
    place=f"{_ROOT}/up.txt",
    before=_BEFORE,
    systematic=False,
    extra=[
        case("happy", _put("up.txt"), _get("up.txt")),
        case("again, with other bytes", _put("up.txt", b"other"), _get("up.txt")),
        case("empty", _put("empty.txt", b""), _get("empty.txt")),
        case("deeper", _put("x/y/z.txt"), _get("x/y/z.txt")),
        case("with a space", _put("a%20c.txt"), _get("a%20c.txt")),
        case("under a file", _put("up.txt/below.txt")),
        case("where a folder is", _put("data")),
        case("of a deleted run", Request("PUT", f"{_BYTES}/$exp/$gone/artifacts/a.txt", raw=b"x")),
        case(
            "of an unknown run",
            Request("PUT", f"{_BYTES}/$exp/{UNKNOWN_RUN}/artifacts/a", raw=b"x"),
        ),
        case("beside the runs", Request("PUT", f"{_BYTES}/elsewhere/a.txt", raw=b"x")),
        *_paths("PUT", _CLIMBING),
        case("as JSON", Request("PUT", f"{_ROOT}/j.json", raw=b"{}"), _get("j.json")),
    ],
)
_DELETE = Table(
    PROXIED,
    "DELETE",
    "2.0/mlflow-artifacts/artifacts/{artifact_path}",
    place=f"{_ROOT}/a.txt",
    before=_BEFORE,
    after=[_get("a.txt"), _put("a.txt")],
    extra=[
        *_paths("DELETE", ("none", "data/b.json", *_CLIMBING)),
        case("a folder", Request("DELETE", f"{_ROOT}/data"), _get("data/deep/c.bin")),
        case("repeated", Request("DELETE", f"{_ROOT}/data")),
        case("of an unknown run", Request("DELETE", f"{_BYTES}/$exp/{UNKNOWN_RUN}/artifacts")),
    ],
)
_LIST_OF_RUN = Table(
    OF_RUNS,
    "GET",
    "2.0/mlflow/artifacts/list",
    good={"run_id": "$run", "path": "data"},
    fields=[RUN_ID, Field("run_uuid"), Field("path"), Field("page_token")],
    before=_BEFORE,
    extra=[
        *(
            case(
                f"path {odd!r}",
                Request("GET", "2.0/mlflow/artifacts/list", f"run_id=$run&path={odd}"),
            )
            for odd in (*_ODD, *_CLIMBING, "a.txt", "/etc", "data/deep")
        ),
        case(
            "an unknown run", Request("GET", "2.0/mlflow/artifacts/list", f"run_id={UNKNOWN_RUN}")
        ),
        case("a deleted run", Request("GET", "2.0/mlflow/artifacts/list", "run_id=$gone")),
        case("no path", Request("GET", "2.0/mlflow/artifacts/list", "run_id=$run")),
    ],
)
_FILE_OF_RUN = Table(
    OF_RUNS,
    "GET",
    "/get-artifact",
    good={"run_id": "$run", "path": "a.txt"},
    fields=[RUN_ID, Field("run_uuid"), Field("path")],
    prefixes=BARE,
    before=_BEFORE,
    extra=[
        *(
            case(f"path {odd!r}", Request("GET", "/get-artifact", f"run_id=$run&path={odd}"))
            for odd in (*_FILES, *_ODD, *_CLIMBING, "/etc/passwd")
        ),
        case("an unknown run", Request("GET", "/get-artifact", f"run_id={UNKNOWN_RUN}&path=a.txt")),
        case("a deleted run", Request("GET", "/get-artifact", "run_id=$gone&path=a.txt")),
        case("by its old name", Request("GET", "/get-artifact", "run_uuid=$run&path=a.txt")),
    ],
)


def _presigned(way: str, **good: object) -> Table:
    path = f"2.0/mlflow/artifacts/presigned-{way}-url"
    return Table(
        OF_RUNS,
        "POST",
        path,
        good={"run_id": "$run", "path": "a.txt", **good},
        fields=[RUN_ID, Field("path")],
        before=_BEFORE,
        extra=[
            case(
                "an unknown run",
                post(path.removeprefix("2.0/mlflow/"), {"run_id": UNKNOWN_RUN, "path": "a"}),
            )
        ],
    )


def _upload(query: str, content: bytes = b"some bytes") -> Request:
    return Request("POST", "2.0/mlflow/upload-artifact", query, raw=content, content_type=None)


_UPLOAD_OF_RUN = Table(
    OF_RUNS,
    "POST",
    "2.0/mlflow/upload-artifact",
    prefixes=AJAX,
    before=_BEFORE,
    systematic=False,
    extra=[
        case("happy", _upload("run_uuid=$run&path=u.txt"), _get("u.txt")),
        case("again", _upload("run_uuid=$run&path=u.txt", b"other"), _get("u.txt")),
        case("deeper", _upload("run_uuid=$run&path=x/y/u.txt"), _get("x/y/u.txt")),
        case("no run", _upload("path=u.txt")),
        case("no path", _upload("run_uuid=$run")),
        case("an empty path", _upload("run_uuid=$run&path=")),
        case("nothing", _upload("run_uuid=$run&path=u.txt", b"")),
        case("an unknown run", _upload(f"run_uuid={UNKNOWN_RUN}&path=u.txt")),
        case("a deleted run", _upload("run_uuid=$gone&path=u.txt")),
        *(case(f"path {odd!r}", _upload(f"run_uuid=$run&path={odd}")) for odd in _CLIMBING),
    ],
)


def _multipart(step: str, **good: object) -> Table:
    path = f"2.0/mlflow-artifacts/mpu/{step}"
    return Table(
        "Artifacts, multipart",
        "POST",
        f"{path}/{{artifact_path}}",
        place=f"{path}/$exp/$run/artifacts",
        good={"path": "a.txt", **good},
        fields=[Field("path")],
        before=_BEFORE,
    )


_PRESIGNED = Table(
    PROXIED,
    "GET",
    "2.0/mlflow-artifacts/presigned/{artifact_path}",
    place="2.0/mlflow-artifacts/presigned/$exp/$run/artifacts/a.txt",
    before=_BEFORE,
    extra=[
        case(
            f"path {odd!r}",
            Request("GET", f"2.0/mlflow-artifacts/presigned/$exp/$run/artifacts/{odd}"),
        )
        for odd in (*_ODD, *_CLIMBING)
    ],
)
TABLES = [
    *(_LIST, _DOWNLOAD, _UPLOAD, _DELETE, _LIST_OF_RUN, _FILE_OF_RUN),
    *(_UPLOAD_OF_RUN, _presigned("download"), _presigned("upload"), _PRESIGNED),
    _multipart("create", num_parts=2),
    _multipart("complete", upload_id="none", parts=[]),
    _multipart("abort", upload_id="none"),
]
