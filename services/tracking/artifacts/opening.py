"""Opens the store that the settings name: a local folder, or a bucket of S3 or alike."""

from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote, urlsplit

from obstore.store import S3Store

from libs.common.settings import SettingsError
from services.tracking.artifacts.folder import Folder
from services.tracking.artifacts.objects import MIB, ArtifactStore, Objects

if TYPE_CHECKING:
    from obstore.store import S3Config

S3_PART_BYTES: Final = 8 * MIB


class StoreSettings(Protocol):
    """The settings of tracking that say where artifacts lie.

    What is left empty of the `s3_…` is found as the AWS tools find it (`AWS_REGION`,
    `AWS_ACCESS_KEY_ID`, an instance's role, …).
    """

    @property
    def artifact_store(self) -> str: ...
    @property
    def s3_endpoint(self) -> str: ...
    @property
    def s3_region(self) -> str: ...
    @property
    def s3_access_key_id(self) -> str: ...
    @property
    def s3_secret_access_key(self) -> str: ...


def open_store(settings: StoreSettings) -> ArtifactStore:
    """The store at `file:///folder` or `s3://bucket/prefix`; raises SettingsError for others."""
    url = urlsplit(settings.artifact_store)
    if url.scheme == "file" and not url.netloc and url.path.startswith("/"):
        return Folder(Path(unquote(url.path)))
    if url.scheme == "s3" and url.netloc:
        return Objects(_bucket(settings, url.netloc, url.path), part_bytes=S3_PART_BYTES)
    raise SettingsError(
        "TRACKING_ARTIFACT_STORE should be file:///folder or s3://bucket/prefix, and is "
        f"{settings.artifact_store!r}."
    )


def _bucket(settings: StoreSettings, name: str, path: str) -> S3Store:
    config: S3Config = {}
    if settings.s3_endpoint:
        config["endpoint"] = settings.s3_endpoint
    if settings.s3_region:
        config["region"] = settings.s3_region
    if settings.s3_access_key_id:
        config["access_key_id"] = settings.s3_access_key_id
        config["secret_access_key"] = settings.s3_secret_access_key
    plain = settings.s3_endpoint.startswith("http://")
    return S3Store(
        name,
        prefix=path.strip("/") or None,
        config=config,
        client_options={"allow_http": plain, "timeout": "30s", "connect_timeout": "5s"},
    )
