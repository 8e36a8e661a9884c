"""Bodies of requests and answers about artifacts, in MLflow's names."""

import msgspec
from msgspec import UNSET, UnsetType


class Listing(msgspec.Struct):
    """GET mlflow-artifacts/artifacts."""

    path: str = ""


class RunListing(msgspec.Struct):
    """GET artifacts/list; `run_uuid` is the name of old clients."""

    run_id: str | None = None
    run_uuid: str | None = None
    path: str = ""


class RunFile(msgspec.Struct):
    """GET /get-artifact."""

    run_id: str | None = None
    run_uuid: str | None = None
    path: str | None = None


class File(msgspec.Struct, frozen=True):
    """A file or a folder; a folder has no size."""

    path: str
    is_dir: bool
    file_size: int | UnsetType = UNSET


class ListAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What lies in a folder; `root_uri` where paths are relative to it."""

    root_uri: str | UnsetType = UNSET
    files: list[File] = []


class RunUpload(msgspec.Struct):
    """The query of POST upload-artifact, whose body is the file."""

    run_uuid: str = ""
    path: str = ""


class BeginUpload(msgspec.Struct):
    """POST mlflow-artifacts/mpu/create; `path` is the file on the client's disk."""

    path: str | None = None
    num_parts: int = 1


class SentPart(msgspec.Struct):
    """A part as the client says that it was taken."""

    part_number: int = 0
    etag: str = ""
    url: str = ""


class CompleteUpload(msgspec.Struct):
    """POST mlflow-artifacts/mpu/complete."""

    path: str | None = None
    upload_id: str = ""
    parts: list[SentPart] = []


class AbortUpload(msgspec.Struct):
    """POST mlflow-artifacts/mpu/abort."""

    path: str | None = None
    upload_id: str = ""


class Credential(msgspec.Struct, frozen=True):
    """Where to PUT a part, and with which headers."""

    url: str
    part_number: int
    headers: dict[str, str]


class BegunUpload(msgspec.Struct, frozen=True):
    """The answer to mpu/create."""

    upload_id: str
    credentials: list[Credential]


class PresignedDownload(msgspec.Struct):
    """POST artifacts/presigned-download-url."""

    run_id: str | None = None
    path: str | None = None
    expiration: int | None = None


class PresignedUpload(msgspec.Struct):
    """POST artifacts/presigned-upload-url."""

    run_id: str = ""
    model_id: str = ""
    path: str | None = None
    expiration: int | None = None


class SignedFile(msgspec.Struct, frozen=True):
    """The answer to GET mlflow-artifacts/presigned."""

    url: str
    headers: dict[str, str]
    file_size: int


class SignedUrl(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to artifacts/presigned-download-url, without empty headers as protobuf writes it."""

    presigned_url: str
    file_size: int
    headers: dict[str, str] = {}
