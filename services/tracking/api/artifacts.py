"""Artifacts over HTTP: listed, and their bytes streamed in and out.

Paths are taken from the request's own path, whole: the router's parameter would lose a line break
at its end. Every row is of the caller's tenant and workspace, so what is another's is not there;
within them the experiment decides, which a path names first.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from libs.common.errors import Refusal, invalid, missing
from libs.common.http.routes import AJAX_ONLY, Call, Routes
from libs.common.telemetry.logs import logger
from services.tracking.api.decisions import (
    insist_on_model,
    insist_on_path,
    insist_on_run,
    shows,
)
from services.tracking.api.views import named_run
from services.tracking.artifacts.checksums import claims_of
from services.tracking.artifacts.paths import (
    clean_file,
    clean_folder,
    experiment_of,
    join,
)
from services.tracking.artifacts.serving import has_it, serve, told_of
from services.tracking.commands import artifacts as commands
from services.tracking.model.contents import Stored, damaged
from services.tracking.model.logged_models import model_uuid
from services.tracking.model.metrics import no_model
from services.tracking.model.runs import no_run, run_uuid
from services.tracking.queries.access import experiments_among
from services.tracking.queries.artifacts import Entry, entries, run_artifact_uri, stored_at
from services.tracking.queries.logged_models import artifact_uri
from services.tracking.schemas import artifacts as schemas
from services.tracking.schemas.answers import NOTHING
from services.tracking.schemas.logged_models import File, Folder
from services.tracking.state import state_of

PATH: Final = "2.0/mlflow-artifacts/artifacts"
_SCHEME: Final = "mlflow-artifacts:/"
routes: Final = Routes()
_log = logger(__name__)


@routes.mlflow("GET", PATH, permission="artifact.read")
async def list_artifacts(call: Call, body: schemas.Listing) -> object:
    """What lies in a folder, by names."""
    path = clean_folder(body.path)
    if path and not await shows(insist_on_path(call, path, missing=no_artifact(path))):
        return schemas.ListAnswer(files=[])
    entries = await _entries(call, path)
    return schemas.ListAnswer(files=_files(entries if path else await _visible(call, entries)))


@routes.mlflow("GET", f"{PATH}/{{artifact_path:path}}", permission="artifact.read")
async def download_artifact(call: Call) -> Response:
    """A file's bytes, or a range of them."""
    path = clean_file(_path(call))
    await insist_on_path(call, path, missing=no_artifact(path))
    return await _served(call, path)


@routes.mlflow("PUT", f"{PATH}/{{artifact_path:path}}", permission="artifact.write")
async def upload_artifact(call: Call) -> Response:
    """Store a file from the request's body."""
    await commands.store_artifact(
        call.running,
        call.principal,
        call.permission,
        _path(call),
        call.request.stream(),
        declared_length(call.request),
        claims_of(call.request.headers),
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
    run_id = named_run(body.run_id, body.run_uuid, body)
    path = clean_folder(body.path)
    return await _listed(call, await root_of_run(call, run_id), path)


@routes.plain("GET", "/get-artifact", permission="artifact.read")
async def get_run_artifact(call: Call, body: schemas.RunFile) -> Response:
    """A file of a run, as web pages ask for it."""
    run_id = named_run(body.run_id, body.run_uuid, body)
    if not body.path:
        raise Refusal("BAD_REQUEST", 'Request must include the "path" query parameter.')
    path = clean_file(body.path)
    return await _served(call, path_of(await root_of_run(call, run_id), path))


@routes.mlflow(
    "GET",
    "2.0/mlflow/logged-models/{model_id}/artifacts/directories",
    permission="artifact.read",
)
async def list_logged_model_artifacts(call: Call, body: Folder) -> object:
    """What lies in a folder of a logged model, by paths below the model's artifacts."""
    path = clean_folder(body.artifact_directory_path)
    return await _listed(
        call, await root_of_model(call, call.request.path_params["model_id"]), path
    )


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
    return await _served(
        call, path_of(await root_of_model(call, call.request.path_params["model_id"]), path)
    )


async def root_of_run(call: Call, run_id: str) -> str:
    """The artifact URI of a run, if the caller may do this with it."""
    await insist_on_run(call, run_id)
    principal, stored = call.principal, run_uuid(run_id)
    async with call.running.database.reading(principal.tenant_no) as connection:
        uri = await run_artifact_uri(
            connection, principal.tenant_no, principal.workspace_id, stored
        )
    if uri is None:
        raise no_run(run_id)
    return uri


async def root_of_model(call: Call, model_id: str) -> str:
    """The artifact URI of a logged model, if the caller may do this with it."""
    principal = call.principal
    await insist_on_model(call, model_id)
    stored = model_uuid(model_id)
    async with call.running.database.reading(principal.tenant_no) as connection:
        uri = await artifact_uri(connection, principal.tenant_no, principal.workspace_id, stored)
    if uri is None:
        raise no_model(model_id)
    return uri


async def _listed(call: Call, root_uri: str, path: str) -> object:
    entries = await _entries(call, path_of(root_uri, path))
    return schemas.ListAnswer(root_uri, _files(entries, path))


async def _entries(call: Call, path: str) -> list[Entry]:
    principal = call.principal
    return await entries(call.running.database, principal.tenant_no, principal.workspace_id, path)


async def file_at(call: Call, path: str) -> Stored:
    """What the file at a whole path holds; a refusal where there is none."""
    principal = call.principal
    stored = await stored_at(
        call.running.database, principal.tenant_no, principal.workspace_id, path
    )
    if stored is None:
        if await _entries(call, path):
            raise invalid(f"Artifact path refers to a directory, not a file: {path!r}")
        raise no_artifact(path)
    return stored


async def _served(call: Call, path: str) -> Response:
    request, stored = call.request, await file_at(call, path)
    if has_it(request.headers, stored.content):
        return Response(status_code=304, headers=told_of(stored.content))
    store = state_of(call.running).artifacts
    found = await store.find(stored.key)
    if found is None or found.size != stored.content.size:
        _log.error("artifact_damaged", key=stored.key, found=found and found.size)
        raise damaged(path)
    name = path.rpartition("/")[2]
    bare = request.method == "HEAD"
    return serve(store, found, stored.content, name, request.headers, bare=bare)


async def _visible(call: Call, entries: list[Entry]) -> list[Entry]:
    """Of the uppermost folders, each an experiment's, those that the caller may read."""
    principal = call.principal
    numbers = {entry.name: experiment_of(entry.name) for entry in entries}
    named = [number for number in numbers.values() if number is not None]
    async with call.running.database.reading(principal.tenant_no) as connection:
        among = set(await experiments_among(connection, principal, call.permission, named))
    return [entry for entry in entries if numbers[entry.name] in among]


def no_artifact(path: str) -> Refusal:
    """No file at a path, or none that the caller may see."""
    return missing(f"No such artifact: {path!r}")


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


def path_of(root_uri: str, path: str) -> str:
    """The whole path of what lies below an artifact URI of ours."""
    return join(root_uri.removeprefix(_SCHEME), path)


def declared_length(request: Request) -> int | None:
    """The length that a request says its body has, None where it does not say."""
    header = request.headers.get("content-length")
    if header is None:
        return None
    if not (header.isascii() and header.isdigit()) or len(header) > 18:
        raise invalid("Content-Length is no number of bytes.")
    return int(header)
