"""Opens the store that the settings name: a local folder, or a bucket of S3 and alike, Azure or Google."""

from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store

from libs.common.settings import SettingsError
from services.tracking.artifacts.folder import Folder
from services.tracking.artifacts.objects import MIB, ArtifactStore, Objects

if TYPE_CHECKING:
    from obstore.store import AzureConfig, ClientConfig, GCSConfig, S3Config

BUCKET_PART_BYTES: Final = 8 * MIB


class StoreSettings(Protocol):
    """The settings of tracking that say where artifacts lie.

    What is left empty of a provider's own is found as its tools find it (`AWS_REGION`,
    `AWS_ACCESS_KEY_ID`, `AZURE_STORAGE_ACCOUNT_NAME`, `GOOGLE_APPLICATION_CREDENTIALS`, the role of
    the machine, …).
    """

    @property
    def artifact_store(self) -> str: ...
    @property
    def presigned_downloads(self) -> bool: ...
    @property
    def s3_endpoint(self) -> str: ...
    @property
    def s3_region(self) -> str: ...
    @property
    def s3_access_key_id(self) -> str: ...
    @property
    def s3_secret_access_key(self) -> str: ...
    @property
    def azure_endpoint(self) -> str: ...
    @property
    def azure_account(self) -> str: ...
    @property
    def azure_key(self) -> str: ...
    @property
    def google_credentials(self) -> str: ...


def open_store(settings: StoreSettings) -> ArtifactStore:
    """The store of `artifact_store`; raises SettingsError where that is none of the known ones."""
    url = urlsplit(settings.artifact_store)
    if url.scheme == "file" and not url.netloc and url.path.startswith("/"):
        return Folder(Path(unquote(url.path)))
    opens = {"s3": _s3, "az": _azure, "gs": _google}.get(url.scheme)
    if opens is None or not url.netloc:
        raise SettingsError(
            "TRACKING_ARTIFACT_STORE should be file:///folder, s3://bucket/prefix,"
            f" az://container/prefix or gs://bucket/prefix, and is {settings.artifact_store!r}."
        )
    try:
        store = opens(settings, url.netloc, url.path.strip("/") or None)
    except BaseError as problem:
        raise SettingsError(f"TRACKING_ARTIFACT_STORE cannot be opened: {problem}") from None
    return Objects(store, part_bytes=BUCKET_PART_BYTES, signs=settings.presigned_downloads)


def _s3(settings: StoreSettings, bucket: str, prefix: str | None) -> ObjectStore:
    config: S3Config = {}
    if settings.s3_endpoint:
        config["endpoint"] = settings.s3_endpoint
    if settings.s3_region:
        config["region"] = settings.s3_region
    if settings.s3_access_key_id:
        config["access_key_id"] = settings.s3_access_key_id
        config["secret_access_key"] = settings.s3_secret_access_key
    options = _client(settings.s3_endpoint)
    return S3Store(bucket, prefix=prefix, config=config, client_options=options)


def _azure(settings: StoreSettings, container: str, prefix: str | None) -> ObjectStore:
    config: AzureConfig = {}
    if settings.azure_endpoint:
        config["endpoint"] = settings.azure_endpoint
    if settings.azure_account:
        config["account_name"] = settings.azure_account
    if settings.azure_key:
        config["account_key"] = settings.azure_key
    options = _client(settings.azure_endpoint)
    return AzureStore(container, prefix=prefix, config=config, client_options=options)


def _google(settings: StoreSettings, bucket: str, prefix: str | None) -> ObjectStore:
    config: GCSConfig = {}
    if settings.google_credentials:
        config["service_account"] = settings.google_credentials
    return GCSStore(bucket, prefix=prefix, config=config, client_options=_client(""))


def _client(endpoint: str) -> "ClientConfig":
    plain = endpoint.startswith("http://")
    return {"allow_http": plain, "timeout": "30s", "connect_timeout": "5s"}
