"""Every place of a request that takes a path: a new one is one line here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

FILES: Final = "/api/2.0/mlflow-artifacts"
ML: Final = "/api/2.0/mlflow"
_RUN: Final = "<experiment>/<run>/artifacts"


@dataclass(frozen=True)
class Place:
    """Where a trick is put: `§` stands for it in the target, in the body or in a header.

    What is only a name, which no path is ever made of, `names`: there a trick may be accepted.
    A source that begins `below` a run may be accepted too: what is read by it is looked at.
    """

    method: str
    target: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    names: bool = False
    below: bool = False
    # How the trick is written in the target: as it stands, or encoded once as clients do.
    encoded: bool = False

    def stays_inside(self, trick: str) -> bool:
        """Whether the path ends before what is tricky: a query is no path, and of a body with half a
        letter nothing more is read, as MLflow does.
        """
        if self.body is not None and "\ud800" in trick:
            return True
        rest = trick.partition("?")[0]
        in_path = "§" in self.target.partition("?")[0] and not self.encoded
        return in_path and "?" in trick and rest == "a"

    def request(self, trick: str) -> tuple[bytes, bytes, list[str]]:
        """The target, the body and the header lines, with the trick in its place."""
        written = quote(trick, safe="", errors="surrogatepass") if self.encoded else trick
        target = _bytes(self.target.replace("§", written))
        body = b"" if self.body is None else json.dumps(_filled(self.body, trick)).encode()
        lines = [
            f"{name}: {_line(value.replace('§', trick))}" for name, value in self.headers.items()
        ]
        return target, body, lines


def _filled(value: Any, trick: str) -> Any:
    if isinstance(value, str):
        return value.replace("§", trick)
    if isinstance(value, Mapping):
        return {name: _filled(inner, trick) for name, inner in value.items()}
    return [_filled(inner, trick) for inner in value] if isinstance(value, list) else value


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _line(text: str) -> str:
    """A header's value on one line: what breaks it would be another request's matter."""
    return text.replace("\n", " ").replace("\r", " ").replace("\0", " ")


def _path(method: str, target: str, body: Mapping[str, Any] | None = None) -> dict[str, Place]:
    """A place in a target's path, written both ways."""
    return {
        f"{method} {target}": Place(method, target, body),
        f"{method} {target} encoded": Place(method, target, body, encoded=True),
    }


def _query(method: str, target: str) -> dict[str, Place]:
    """A place in a target's query, where it is always encoded."""
    return {f"{method} {target}": Place(method, target, encoded=True)}


def _json(method: str, target: str, names: bool = False, **body: Any) -> dict[str, Place]:
    """A place in a JSON body."""
    written = " ".join(
        name for name, value in body.items() if "§" in json.dumps(value, ensure_ascii=False)
    )
    return {f"{method} {target} {written}": Place(method, target, body, names=names)}


def _source(source: str, *, below: bool = False, **more: str) -> dict[str, Place]:
    """A place in the source of a model's version."""
    body = {"name": "<model>", "source": source, **more}
    place = Place("POST", f"{ML}/model-versions/create", body, below=below)
    return {f"source {source} {' '.join(more)}": place}


PLACES: Final[Mapping[str, Place]] = {
    **_path("GET", f"{FILES}/artifacts/{_RUN}/§"),
    **_path("PUT", f"{FILES}/artifacts/{_RUN}/§", {}),
    **_path("DELETE", f"{FILES}/artifacts/{_RUN}/§"),
    **_path("GET", f"{FILES}/artifacts/§"),
    **_path("PUT", f"{FILES}/artifacts/§", {}),
    **_path("DELETE", f"{FILES}/artifacts/§"),
    **_query("GET", f"{FILES}/artifacts?path={_RUN}/§"),
    **_query("GET", f"{FILES}/artifacts?path=§"),
    **_query("GET", f"{ML}/artifacts/list?run_id=<run>&path=§"),
    **_query("GET", "/get-artifact?run_id=<run>&path=§"),
    **_query("GET", "/get-artifact?path=canary.txt&run_id=§"),
    **_query("GET", "/model-versions/get-artifact?name=<model>&version=1&path=§"),
    **_query("GET", "/model-versions/get-artifact?version=1&path=canary.txt&name=§"),
    **_query(
        "GET", f"{ML}/logged-models/<logged-model>/artifacts/directories?artifact_directory_path=§"
    ),
    **_query(
        "GET", f"/ajax-{ML[1:]}/logged-models/<logged-model>/artifacts/files?artifact_file_path=§"
    ),
    **_path("GET", f"{ML}/logged-models/§/artifacts/directories"),
    **_path("GET", f"/ajax-{ML[1:]}/logged-models/§/artifacts/files?artifact_file_path=canary.txt"),
    "upload-artifact": Place(
        "POST", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=<run>&path=§", {"a": 1}, encoded=True
    ),
    **_path("POST", f"{FILES}/mpu/create/{_RUN}/§", {"path": "x", "num_parts": 1}),
    # The file on the client's disk: its last name alone is used.
    **_json("POST", f"{FILES}/mpu/create/{_RUN}", True, path="§", num_parts=1),
    **_json("POST", f"{FILES}/mpu/complete/{_RUN}", True, path="§", upload_id="§", parts=[]),
    **_json("POST", f"{FILES}/mpu/abort/{_RUN}", True, path="§", upload_id="§"),
    **_path("GET", f"{FILES}/presigned/{_RUN}/§"),
    **_query("PUT", f"{FILES}/mpu-part?part=1&upload=§"),
    **_json("POST", f"{ML}/artifacts/presigned-download-url", run_id="<run>", path="§"),
    **_json("POST", f"{ML}/artifacts/presigned-upload-url", run_id="<run>", path="§"),
    **_source("§"),
    **_source("§", run_id="<run>"),
    **_source("§", model_id="<logged-model>"),
    **_source(f"mlflow-artifacts:/{_RUN}/§", below=True, run_id="<run>"),
    **_source("runs:/<run>/§", below=True, run_id="<run>"),
    **_source("models:/<logged-model>/§", model_id="<logged-model>"),
    **_json("POST", f"{ML}/experiments/create", name="<new>", artifact_location="§"),
    **_json("POST", f"{ML}/experiments/create", names=True, name="<new>§"),
    **_json(
        "POST",
        f"{ML}/runs/create",
        True,
        experiment_id="<experiment>",
        run_name="§",
        artifact_uri="§",
    ),
    **_json(
        "POST",
        f"{ML}/runs/set-tag",
        True,
        run_id="<run>",
        key="mlflow.artifactLocation",
        value="§",
    ),
    **_json("POST", f"{ML}/logged-models", True, experiment_id="<experiment>", name="§"),
    **_json("POST", f"{ML}/registered-models/create", True, name="<new>§"),
    **_json("POST", "/api/3.0/mlflow/workspaces", name="§"),
    **_path("GET", "/api/3.0/mlflow/workspaces/§"),
    **_path("DELETE", "/api/3.0/mlflow/workspaces/§"),
    **_path("GET", "/api/maestro/v1/models/§/owner"),
    **_path("GET", "/api/maestro/v1/roles/§"),
    **_path("GET", "/§"),
    **_path("GET", "/static-files/§"),
    "workspace header": Place(
        "GET", f"{FILES}/artifacts/{_RUN}/canary.txt", headers={"X-MLFLOW-WORKSPACE": "§"}
    ),
}
