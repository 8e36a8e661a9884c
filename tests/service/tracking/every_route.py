"""Every route of tracking with a request to it about a live experiment, run or logged model."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from libs.common.access.permissions import PERMISSIONS
from libs.common.http.calling import Reply
from services.tracking.api import pages
from services.tracking.service import SERVICE
from tests.service.tracking.making import new_experiment, new_run
from tests.service.tracking.owners import NEVER
from tests.serving import Client
from tools.contracts.surfaces import surfaces

PUBLIC: Final = "public"
# They show nothing of anybody's, to everybody alike: see services/tracking/api/pages.py.
EMPTY: Final = frozenset(route.name for route in pages.routes.all)
# Stands in everything that is logged: who may not read must never see it.
SECRET: Final = "s3cret"
SOMEBODY: Final = "user:00000000-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Operation:
    """A route: its method and path, the permission it declares, and its handler's name."""

    method: str
    path: str
    permission: str
    name: str

    @property
    def reads(self) -> bool:
        """Whether it only shows something."""
        return self.permission.endswith(".read")

    def __str__(self) -> str:
        return f"{self.method} {self.name}"


@dataclass(frozen=True)
class Site:
    """An experiment with a run, a logged model and an upload in it; `name` is the experiment's."""

    name: str
    experiment: str
    run: str
    model: str
    upload: str = "0" * 32

    def filled(self, value: Any) -> Any:
        """`value` with the ids in place of `{experiment}`, `{run}`, `{model}` and `{name}`."""
        if isinstance(value, dict):
            return {key: self.filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        return value.format(**vars(self)) if isinstance(value, str) else value

    def told_as(self, other: "Site", text: bytes) -> bytes:
        """An answer about this site as it would be about another."""
        for mine, theirs in (
            (self.run, other.run),
            (self.model, other.model),
            (self.upload, other.upload),
            (self.name, other.name),
            (f"id={self.experiment} ", f"id={other.experiment} "),
            (f"'{self.experiment}/", f"'{other.experiment}/"),
        ):
            text = text.replace(mine.encode(), theirs.encode())
        return text


NOWHERE: Final = Site("nothing here", "999", "0" * 32, NEVER)
_RUN: Final = {"run_id": "{run}"}
_EXPERIMENT: Final = {"experiment_id": "{experiment}"}
_PAIR: Final = {"key": "k", "value": "v"}
_POINT: Final = {"key": "m", "value": 2, "timestamp": 2}
_MODEL_JSON: Final = (
    '{{"artifact_path": "a", "flavors": {{}}, "utc_time_created": "now", "run_id": "{run}"}}'
)
# The one part that came holds the secret.
TAG: Final = hashlib.sha256(SECRET.encode()).hexdigest()
_UPLOAD: Final = {"path": "/data/parts.bin", "upload_id": "{upload}"}
_RUN_FILE: Final = "{experiment}/{run}/artifacts/file.txt"
# Of each handler, what it is sent: the query of a GET, else the body.
SENT: Final[dict[str, dict[str, Any]]] = {
    "create_experiment": {"name": "{name} more"},
    "get_experiment": _EXPERIMENT,
    "get_experiment_by_name": {"experiment_name": "{name}"},
    "update_experiment": {**_EXPERIMENT, "new_name": "{name} again"},
    "delete_experiment": _EXPERIMENT,
    "restore_experiment": _EXPERIMENT,
    "set_experiment_tag": {**_EXPERIMENT, **_PAIR},
    "delete_experiment_tag": {**_EXPERIMENT, "key": "told"},
    "search_experiments": {"max_results": 100},
    "search_datasets": {"experiment_ids": ["{experiment}"]},
    "create_run": _EXPERIMENT,
    "get_run": _RUN,
    "ask_graphql": {"operationName": "GetRun", "variables": {"data": {"runId": "{run}"}}},
    "update_run": {**_RUN, "status": "FAILED"},
    "delete_run": _RUN,
    "restore_run": _RUN,
    "search_runs": {"experiment_ids": ["{experiment}"]},
    "log_metric": {**_RUN, **_POINT},
    "log_parameter": {**_RUN, **_PAIR},
    "set_tag": {**_RUN, **_PAIR},
    "delete_tag": {**_RUN, "key": "told"},
    "log_batch": {**_RUN, "metrics": [{**_POINT, "model_id": "{model}"}], "params": [_PAIR]},
    "log_inputs": {**_RUN, "models": [{"model_id": "{model}"}]},
    "log_outputs": {**_RUN, "models": [{"model_id": "{model}"}]},
    "log_model": {**_RUN, "model_json": _MODEL_JSON},
    "get_metric_history": {**_RUN, "metric_key": f"m{SECRET}"},
    "get_metric_history_bulk": {**_RUN, "metric_key": f"m{SECRET}"},
    "get_metric_history_bulk_interval": {"run_ids": "{run}", "metric_key": f"m{SECRET}"},
    "create_logged_model": _EXPERIMENT,
    "search_logged_models": {"experiment_ids": ["{experiment}"]},
    "get_logged_model": {},
    "finalize_logged_model": {"model_id": "{model}", "status": "LOGGED_MODEL_READY"},
    "delete_logged_model": {},
    "set_logged_model_tags": {"tags": [_PAIR]},
    "delete_logged_model_tag": {},
    "log_logged_model_params": {"model_id": "{model}", "params": [_PAIR]},
    "list_artifacts": {"path": "{experiment}/{run}/artifacts"},
    "download_artifact": {},
    "upload_artifact": {},
    "delete_artifact": {},
    "list_run_artifacts": _RUN,
    "get_run_artifact": {**_RUN, "path": "file.txt"},
    "list_logged_model_artifacts": {},
    "get_logged_model_artifact": {"artifact_file_path": f"{SECRET}.txt"},
    "begin_part_upload": {"path": "new.bin"},
    "complete_part_upload": {**_UPLOAD, "parts": [{"part_number": 1, "etag": TAG}]},
    "abort_part_upload": _UPLOAD,
    "upload_run_artifact": {"run_uuid": "{run}", "path": "page.txt"},
    "presign_artifact": {},
    "presign_download": {**_RUN, "path": "file.txt"},
    "get_experiment_owner": {},
    "put_experiment_owner": {"subject": SOMEBODY},
    "fork_run": {"step": 0},
    "create_ingest_pass": {},
    "get_retention": {},
    "put_retention": {"deleted_days": 9},
    "delete_retention": {},
    # They would not end by themselves.
    "listen_to_run": {"seconds": 0},
    "listen_to_experiment": {"seconds": 0},
}
# Their answers name the moment that they are given at.
_OF_A_MOMENT: Final = ("listen_to_run", "listen_to_experiment")
_IN_PATHS: Final = {
    "{model_id}": "{model}",
    "{tag_key}": "told",
    "{artifact_path:path}": _RUN_FILE,
    "{experiment_id}": "{experiment}",
    "{run_id}": "{run}",
}


def operations() -> list[Operation]:
    """Every route about an experiment or what lies in it, once."""
    (surface,) = surfaces([SERVICE])
    found = [
        Operation(route.method, route.paths[0], route.permission, route.name)
        for route in surface.routes
        if route.permission != PUBLIC
        and route.name not in EMPTY
        and not route.paths[0].startswith("/internal/")
        and route.name != "presign_upload"  # refused to whoever may write
    ]
    for router in surface.routers:
        for route in router.routes:
            (method,) = route.methods  # type: ignore[attr-defined]
            declared = route.openapi_extra["x-permission"]  # type: ignore[attr-defined]
            name = route.name  # type: ignore[attr-defined]
            if PERMISSIONS[declared].kind == "experiment":
                found.append(Operation(method, route.path, declared, name))  # type: ignore[attr-defined]
    return found


OPERATIONS: Final = operations()


async def asked(client: Client, operation: Operation, site: Site) -> Reply:
    """What a client is answered that asks for an operation on a site."""
    path = operation.path
    for parameter, value in _IN_PATHS.items():
        path = path.replace(parameter, site.filled(value))
    sent = site.filled(SENT[operation.name])
    if operation.method == "GET":
        return await client.ask("GET", path, query=urlencode(sent, doseq=True))
    if operation.name == "upload_artifact":
        return await client.ask("PUT", path, raw=b"overwritten")
    if operation.name == "upload_run_artifact":
        return await client.ask("POST", path, raw=b"from a page", query=urlencode(sent))
    if operation.name.endswith("_part_upload"):
        path = path.removesuffix("/file.txt")
    return await client.ask(operation.method, path, sent)


async def new_site(client: Client, name: str) -> Site:
    """An experiment with something of everything in it."""
    experiment = await new_experiment(client, name)
    run = await new_run(
        client, experiment, metrics={f"m{SECRET}": 1}, params={"p": SECRET}, tags={"told": SECRET}
    )
    made = await client.post(
        "logged-models",
        {**_EXPERIMENT, "experiment_id": experiment, "tags": [{"key": "told", "value": SECRET}]},
    )
    site = Site(name, experiment, run, made["model"]["info"]["model_id"])
    tag = {"experiment_id": experiment, "key": "told", "value": SECRET}
    await client.post("experiments/set-experiment-tag", tag)
    dataset = {"name": SECRET, "digest": "1", "source_type": "code", "source": "{}"}
    await client.post("runs/log-inputs", {"run_id": run, "datasets": [{"dataset": dataset}]})
    for path in (_RUN_FILE, f"{{experiment}}/models/{{model}}/artifacts/{SECRET}.txt"):
        where = f"/api/2.0/mlflow-artifacts/artifacts/{site.filled(path)}"
        assert (await client.ask("PUT", where, raw=SECRET.encode())).status == 200
    return replace(site, upload=await _upload(client, f"{experiment}/{run}/artifacts"))


async def _upload(client: Client, folder: str) -> str:
    """An upload in parts of which the first has come."""
    asked = {"path": "/data/parts.bin", "num_parts": 2}
    reply = await client.ask("POST", f"/api/2.0/mlflow-artifacts/mpu/create/{folder}", asked)
    begun = msgspec.json.decode(reply.body)
    (header,) = begun["credentials"][0]["headers"].items()
    where = "/api/2.0/mlflow-artifacts/mpu-part"
    assert (await client.ask("PUT", where, raw=SECRET.encode(), headers=[header])).status == 200
    upload_id: str = begun["upload_id"]
    return upload_id


async def state_of(client: Client, site: Site) -> list[Any]:
    """All that is stored of a site, as somebody sees it who may read it."""
    replies = [
        await asked(client, operation, site)
        for operation in OPERATIONS
        if operation.reads and operation.name not in ("list_artifacts", *_OF_A_MOMENT)
    ]
    assert {reply.status for reply in replies} == {200}
    return [msgspec.Raw(reply.body) for reply in replies]
