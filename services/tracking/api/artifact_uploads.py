"""Uploads of artifacts that are not one PUT: in parts, and from web pages."""

from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import Response

from libs.common.errors import invalid
from libs.common.http.public_url import public_url
from libs.common.http.routes import AJAX_ONLY, PUBLIC, Call, Routes
from libs.common.http.wire import decode_query, require
from services.tracking.api.artifacts import declared_length, path_of, root_of_run
from services.tracking.artifacts.checksums import claims_of
from services.tracking.artifacts.paths import clean_file
from services.tracking.commands import part_uploads
from services.tracking.commands.artifacts import store_artifact
from services.tracking.schemas import artifacts as schemas
from services.tracking.schemas.answers import NOTHING
from services.tracking.state import state_of

_MPU: Final = "2.0/mlflow-artifacts/mpu"
_PART: Final = "2.0/mlflow-artifacts/mpu-part"
# No URL holds it: proxies write those down.
CAPABILITY_HEADER: Final = "x-upload-capability"
_MOST_FROM_PAGES: Final = 10 * 1024 * 1024
routes: Final = Routes()


@routes.mlflow("POST", f"{_MPU}/create/{{artifact_path:path}}", permission="artifact.write")
async def begin_part_upload(call: Call, body: schemas.BeginUpload) -> object:
    """Begin an upload in parts; the answer says where and how to send each."""
    target = await _target(call, "create", body)
    granted = await part_uploads.begin(call.running, call.principal, target, body.num_parts)
    seal, base = state_of(call.running).seal, public_url(call.request.scope)
    upload_id = granted[0].upload_id.hex
    return schemas.BegunUpload(
        upload_id,
        [
            schemas.Credential(
                f"{base}/api/{_PART}?upload={upload_id}&part={one.part_number}",
                one.part_number,
                {CAPABILITY_HEADER: seal.sealed(one)},
            )
            for one in granted
        ],
    )


@routes.mlflow("PUT", _PART, permission=PUBLIC, prefixes=("/api",))
async def upload_part(call: Call) -> Response:
    """Store a part; whoever holds its capability may, without a credential."""
    headers = call.request.headers
    capability = state_of(call.running).seal.opened(headers.get(CAPABILITY_HEADER, ""))
    content = await part_uploads.put_part(
        call.running,
        capability,
        call.request.stream(),
        declared_length(call.request),
        claims_of(headers),
    )
    return Response(status_code=200, headers={"etag": content.tag})


@routes.mlflow("POST", f"{_MPU}/complete/{{artifact_path:path}}", permission="artifact.write")
async def complete_part_upload(call: Call, body: schemas.CompleteUpload) -> object:
    """Make one file of the parts; asked again, it says the same."""
    target = await _target(call, "complete", body)
    given = [(part.part_number, part.etag) for part in body.parts]
    await part_uploads.complete(call.running, call.principal, target, body.upload_id, given)
    return NOTHING


@routes.mlflow("POST", f"{_MPU}/abort/{{artifact_path:path}}", permission="artifact.write")
async def abort_part_upload(call: Call, body: schemas.AbortUpload) -> object:
    """Give up an upload and its parts."""
    target = await _target(call, "abort", body)
    await part_uploads.abort(call.running, call.principal, target, body.upload_id)
    return NOTHING


@routes.mlflow(
    "POST", "2.0/mlflow/upload-artifact", permission="artifact.write", prefixes=AJAX_ONLY
)
async def upload_run_artifact(call: Call) -> Response:
    """Store a small file of a run, as web pages send it."""
    asked = decode_query(call.request.url.query, schemas.RunUpload)
    for field in ("run_uuid", "path"):
        if not getattr(asked, field):
            raise invalid(f"Request must specify {field}.")
    path = clean_file(asked.path)
    data = await _page_body(call)
    root = await root_of_run(call, asked.run_uuid)
    await store_artifact(
        call.running,
        call.principal,
        call.permission,
        path_of(root, path),
        _once(data),
        len(data),
        {},
    )
    return Response(status_code=200, media_type="application/json")


async def _page_body(call: Call) -> bytes:
    too_large = invalid("Artifact size is too large. Max size is 10MB.")
    if (declared_length(call.request) or 0) > _MOST_FROM_PAGES:
        raise too_large
    parts: list[bytes] = []
    size = 0
    async for chunk in call.request.stream():
        parts.append(chunk)
        size += len(chunk)
        if size > _MOST_FROM_PAGES:
            raise too_large
    if not size:
        raise invalid("Request must specify data.")
    return b"".join(parts)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _target(
    call: Call, step: str, body: schemas.BeginUpload | schemas.CompleteUpload | schemas.AbortUpload
) -> part_uploads.Target:
    require(body, "path")
    whole: str = call.request.scope["path"]
    folder = whole.partition(f"{_MPU}/{step}/")[2]
    return await part_uploads.target_of(
        call.running, call.principal, call.permission, folder, body.path or ""
    )
