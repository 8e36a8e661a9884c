"""URLs of the artifact store's own: downloads where clients reach the store, uploads never.

An upload past us would store bytes that nobody has hashed, and the stock client has no step after it
in which that could be made good. So it is answered as MLflow answers for proxied artifacts.
"""

from typing import Final

from libs.common.errors import Refusal, invalid
from libs.common.http.routes import Call, Routes
from libs.common.http.wire import require
from services.tracking.api.artifacts import (
    file_at,
    no_artifact,
    path_of,
    root_of_model,
    root_of_run,
)
from services.tracking.api.decisions import insist_on_path
from services.tracking.artifacts.paths import clean_file
from services.tracking.schemas import artifacts as schemas
from services.tracking.state import state_of

MOST_SECONDS: Final = 300
_PRESIGNED: Final = "2.0/mlflow-artifacts/presigned"
# What stores accept at most; more is refused in MLflow's words, though ours end sooner.
_MOST_ASKED: Final = 604_800
routes: Final = Routes()


@routes.mlflow("GET", f"{_PRESIGNED}/{{artifact_path:path}}", permission="artifact.read")
async def presign_artifact(call: Call) -> object:
    """A URL of the store that gives a file."""
    whole: str = call.request.scope["path"]
    path = clean_file(whole.partition(f"{_PRESIGNED}/")[2])
    await insist_on_path(call, path, missing=no_artifact(path))
    store = state_of(call.running).artifacts
    if not store.signs:
        raise Refusal(
            "NOT_IMPLEMENTED",
            "Multipart download is not supported for the current artifact repository",
        )
    stored = await file_at(call, path)
    url = await store.signed(stored.key, MOST_SECONDS)
    return schemas.SignedFile(url, {}, stored.content.size)


@routes.mlflow("POST", "2.0/mlflow/artifacts/presigned-download-url", permission="artifact.read")
async def presign_download(call: Call, body: schemas.PresignedDownload) -> object:
    """A URL of the store that gives a file of a run."""
    require(body, "run_id", "path")
    path = clean_file(body.path or "")
    seconds = MOST_SECONDS if body.expiration is None else body.expiration
    if not 1 <= seconds <= _MOST_ASKED:
        raise invalid(f"expiration must be between 1 and {_MOST_ASKED} seconds (got {seconds}).")
    root = await root_of_run(call, body.run_id or "")
    store = state_of(call.running).artifacts
    if not store.signs:
        raise invalid(
            "Presigned download is not supported for runs with proxied artifact storage"
            " (artifact URI scheme: mlflow-artifacts). This endpoint requires a run with a direct"
            " cloud storage artifact URI."
        )
    stored = await file_at(call, path_of(root, path))
    url = await store.signed(stored.key, min(seconds, MOST_SECONDS))
    return schemas.SignedUrl(url, stored.content.size)


@routes.mlflow("POST", "2.0/mlflow/artifacts/presigned-upload-url", permission="artifact.write")
async def presign_upload(call: Call, body: schemas.PresignedUpload) -> object:
    """Refused as for every proxied store, whoever may write here."""
    require(body, "path")
    if bool(body.run_id) == bool(body.model_id):
        raise invalid("Exactly one of run_id and model_id must be provided.")
    clean_file(body.path or "")
    if body.run_id:
        await root_of_run(call, body.run_id)
    else:
        await root_of_model(call, body.model_id)
    raise invalid(
        "Presigned upload is not supported for proxied artifact storage (artifact URI scheme:"
        " mlflow-artifacts). This endpoint requires a direct cloud storage artifact URI."
    )
