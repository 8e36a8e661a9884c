"""Files of points in the object store: bytes of one, as they were written or not at all."""

from hashlib import sha256

from libs.common.errors import Refusal, unavailable
from libs.common.telemetry.logs import logger
from services.tracking.artifacts.objects import ArtifactStore, Found

_log = logger(__name__)


async def found(store: ArtifactStore, key: str, size: int) -> Found:
    """The object of a file; refused with 503 where it is not there, or not of that size."""
    file = await store.find(key)
    if file is None or file.size != size:
        raise damaged(key, "lost" if file is None else f"{file.size} bytes in place of {size}")
    return file


async def read(store: ArtifactStore, file: Found, start: int, end: int, checksum: bytes) -> bytes:
    """A part of a file, refused with 503 where it has not this SHA-256."""
    part = b"".join([chunk async for chunk in store.read(file, start, end)])
    if sha256(part).digest() != checksum:
        raise damaged(file.key, f"bytes {start} to {end} are not those that were written")
    return part


def damaged(key: str, why: str) -> Refusal:
    """The refusal where a file cannot be trusted; the log says why."""
    _log.error("archived_points_damaged", key=key, error=why)
    return unavailable("Archived points of this run cannot be read: their file is lost or damaged.")
