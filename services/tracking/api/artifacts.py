"""Artifacts over HTTP: listed, and their bytes streamed in and out.

Paths are taken from the request's own path, whole: the router's parameter would lose a line break
at its end. Every key begins with the caller's tenant and workspace, so what is another's is not
there; within them the experiment decides, which a path names first.
"""

from typing import Final

from starlette.responses import Response

from libs.common.errors import Refusal, invalid, missing
from libs.common.http.routes import AJAX_ONLY, Call, Routes
from services.tracking.api.decisions import (
    insist_on_model,
    insist_on_path,
    insist_on_run,
    shows,
)
from services.tracking.api.views import named_run
from services.tracking.artifacts.objects import ArtifactStore, Entry
from services.tracking.artifacts.paths import (
    clean_file,
    clean_folder,
    experiment_of,
    join,
    object_key,
)
from services.tracking.artifacts.serving import serve
from services.tracking.commands import artifacts as commands
from services.tracking.model.logged_models import model_uuid
from services.tracking.model.metrics import no_model
from services.tracking.model.runs import no_run, run_uuid
from services.tracking.queries.access import experiments_among
from services.tracking.queries.artifacts import run_artifact_uri
from services.tracking.queries.logged_models import artifact_uri
from services.tracking.schemas import artifacts as schemas
from services.tracking.schemas.answers import NOTHING
from services.tracking.schemas.logged_models import File, Folder
from services.tracking.state import state_of

PATH: Final = "2.0/mlflow-artifacts/artifacts"
_SCHEME: Final = "mlflow-artifacts:/"
routes: Final = Routes()


@routes.mlflow("GET", PATH, permission="artifact.read")
async def list_artifacts(call: Call, body: schemas.Listing) -> object:
    """What lies in a folder, by names."""
    path = clean_folder(body.path)
    if path and not await shows(insist_on_path(call, path, missing=_no_artifact(path))):
        return schemas.ListAnswer(files=[])
    entries = await _store(call).entries(_key(call, path))
    return schemas.ListAnswer(files=_files(entries if path else await _visible(call, entries)))


@routes.mlflow("GET", f"{PATH}/{{artifact_path:path}}", permission="artifact.read")
async def download_artifact(call: Call) -> Response:
    """A file's bytes, or a range of them."""
    path = clean_file(_path(call))
    await insist_on_path(call, path, missing=_no_artifact(path))
    return await _served(call, path)


@routes.mlflow("PUT", f"{PATH}/{{artifact_path:path}}", permission="artifact.write")
async def upload_artifact(call: Call) -> Response:
    """Store a file from the request's body."""
    length = call.request.headers.get("content-length")
    await commands.store_artifact(
        call.running,
        call.principal,
        call.permission,
        _path(call),
        call.request.stream(),
        None if length is None else _length(length),
    )
    return Response(status_code=200)


@routes.mlflow("DELETE", f"{PATH}/{{artifact_path:path}}", permission="artifact.delete")
async def delete_artifact(call: Call) -> object:
    """Remove a file, or a folder with all that is below."""
    await commands.delete_artifacts(call.running, call.principal, call.permission, _path(call))
    return NOTHING


@routes.mlflow("GET", "2.0/mlflow/artifacts/list", permission="artifact.read")
async def list_run_artifacts(call: Call, body: schemas.RunListing) -> object:
    """What lies in a folder of a run, by paths below the run's artifacts."""
    run_id = named_run(body.run_id, body.run_uuid)
    path = clean_folder(body.path)
    return await _listed(call, await _root_of_run(call, run_id), path)


@routes.plain("GET", "/get-artifact", permission="artifact.read")
async def get_run_artifact(call: Call, body: schemas.RunFile) -> Response:
    """A file of a run, as web pages ask for it."""
    # MLflow asks its store for a run of this name where none is given.
    run_id = named_run(body.run_id, body.run_uuid) or "None"
    if body.path is None:
        raise Refusal("BAD_REQUEST", 'Request must include the "path" query parameter.')
    path = clean_file(body.path) if body.path else ""
    root = await _root_of_run(call, run_id)
    if not path:
        raise _no_file(f"{_path_of(root, path)}/")
    return await _served(call, _path_of(root, path))


@routes.mlflow(
    "GET",
    "2.0/mlflow/logged-models/{model_id}/artifacts/directories",
    permission="artifact.read",
)
async def list_logged_model_artifacts(call: Call, body: Folder) -> object:
    """What lies in a folder of a logged model, by paths below the model's artifacts."""
    path = clean_folder(body.artifact_directory_path)
    return await _listed(call, await _root_of_model(call), path)


@routes.mlflow(
    "GET",
    "2.0/mlflow/logged-models/{model_id}/artifacts/files",
    permission="artifact.read",
    prefixes=AJAX_ONLY,
)
async def get_logged_model_artifact(call: Call, body: File) -> Response:
    """A file of a logged model, as web pages ask for it."""
    if not body.artifact_file_path:
        raise Refusal(
            "BAD_REQUEST", 'Request must include the "artifact_file_path" query parameter.'
        )
    path = clean_file(body.artifact_file_path)
    return await _served(call, _path_of(await _root_of_model(call), path))


async def _root_of_run(call: Call, run_id: str) -> str:
    await insist_on_run(call, run_id)
    principal, stored = call.principal, run_uuid(run_id)
    async with call.running.database.reading(principal.tenant_no) as connection:
        uri = await run_artifact_uri(
            connection, principal.tenant_no, principal.workspace_id, stored
        )
    if uri is None:
        raise no_run(run_id)
    return uri


async def _root_of_model(call: Call) -> str:
    principal, model_id = call.principal, call.request.path_params["model_id"]
    await insist_on_model(call, model_id)
    stored = model_uuid(model_id)
    async with call.running.database.reading(principal.tenant_no) as connection:
        uri = await artifact_uri(connection, principal.tenant_no, principal.workspace_id, stored)
    if uri is None:
        raise no_model(model_id)
    return uri


async def _listed(call: Call, root_uri: str, path: str) -> object:
    entries = await _store(call).entries(_key(call, _path_of(root_uri, path)))
    return schemas.ListAnswer(root_uri, _files(entries, path))


async def _served(call: Call, path: str) -> Response:
    store, key = _store(call), _key(call, path)
    found = await store.find(key)
    if found is None:
        if await store.entries(key):
            raise _no_file(path)
        raise _no_artifact(path)
    request = call.request
    name = path.rpartition("/")[2]
    return serve(store, found, name, request.headers, bare=request.method == "HEAD")


async def _visible(call: Call, entries: list[Entry]) -> list[Entry]:
    """Of the uppermost folders, each an experiment's, those that the caller may read."""
    principal = call.principal
    numbers = {entry.name: experiment_of(entry.name) for entry in entries}
    named = [number for number in numbers.values() if number is not None]
    async with call.running.database.reading(principal.tenant_no) as connection:
        among = set(await experiments_among(connection, principal, call.permission, named))
    return [entry for entry in entries if numbers[entry.name] in among]


def _no_artifact(path: str) -> Refusal:
    return missing(f"No such artifact: {path!r}")


def _no_file(path: str) -> Refusal:
    return invalid(f"Artifact path refers to a directory, not a file: {path!r}")


def _files(entries: list[Entry], below: str = "") -> list[schemas.File]:
    before = f"{below}/" if below else ""
    return [
        schemas.File(before + entry.name, True)
        if entry.is_folder
        else schemas.File(before + entry.name, False, entry.size or 0)
        for entry in entries
    ]


def _path(call: Call) -> str:
    whole: str = call.request.scope["path"]
    return whole.partition(f"{PATH}/")[2]


def _path_of(root_uri: str, path: str) -> str:
    return join(root_uri.removeprefix(_SCHEME), path)


def _length(header: str) -> int:
    if not (header.isascii() and header.isdigit()) or len(header) > 18:
        raise invalid("Content-Length is no number of bytes.")
    return int(header)


def _key(call: Call, path: str) -> str:
    principal = call.principal
    return object_key(principal.tenant, principal.workspace_id, path).removesuffix("/")


def _store(call: Call) -> ArtifactStore:
    return state_of(call.running).artifacts
