"""An object store as artifacts use it: streamed in, streamed out, removed."""

import errno
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

import obstore
from obstore.exceptions import (
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store

from libs.common.errors import Refusal, invalid, unavailable
from libs.common.telemetry.logs import logger
from services.tracking.artifacts.handover import hand_over

if TYPE_CHECKING:
    from obstore import GetOptions

MIB: Final = 1024 * 1024
MOST_PARTS: Final = 9_000  # S3 takes 10,000
PARTS_IN_FLIGHT: Final = 4
# What a disk says when there is no room, a quota is used up, or a file may not be so large.
_FULL_DISK: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# obstore tells what the disk or the server said in its text alone.
_FULL: Final = re.compile(
    rf"\(os error ({'|'.join(map(str, _FULL_DISK))})\)"
    r"|status code: 507|<Code>(XMinioStorageFull|QuotaExceeded)</Code>"
)
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """An object that is there: its size in bytes and its entity tag, and how to read it."""

    key: str
    size: int
    tag: str | None
    whole: Any


class ArtifactStore(Protocol):
    """What artifacts need of a store; keys are those of `new_key`, and no object is ever changed."""

    async def put(self, key: str, chunks: AsyncIterator[bytes], length: int | None) -> None:
        """Store a body of `length` bytes, None when that was not said; all of it or nothing."""
        ...

    async def find(self, key: str) -> Found | None:
        """The object at `key`, None when there is none."""
        ...

    def read(self, found: Found, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to `end` of an object as it was when found."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are not there are no error."""
        ...

    @property
    def signs(self) -> bool:
        """Whether clients can be given URLs of the store's own."""
        ...

    async def signed(self, key: str, seconds: int) -> str:
        """A URL that gives an object to whoever has it, for a while; asked only of one that `signs`."""
        ...


class Objects:
    """Any store that `obstore` knows; `part_bytes` is how much is written and read at a time.

    An upload holds up to PARTS_IN_FLIGHT parts in memory, whatever its length; smaller bodies go
    in one piece. What fails or is cut off midway is aborted, so that nothing of it can be read.
    Downloads ask for one part after the other, so that a slow reader holds no connection to the
    store open, and a local file costs a tenth of obstore's own stream.
    """

    def __init__(self, store: ObjectStore, *, part_bytes: int, signs: bool = False) -> None:
        self._store = store
        self._part_bytes = part_bytes
        self.signs = signs

    async def put(self, key: str, chunks: AsyncIterator[bytes], length: int | None) -> None:
        """Store a body, all of it or nothing; raises a refusal when it is not `length` long."""
        body = _counted(chunks, length)
        part = max(self._part_bytes, (length or 0) // MOST_PARTS + 1)
        try:
            if length is not None and length <= part:
                whole = b"".join([chunk async for chunk in body])
                await obstore.put_async(self._store, key, whole, use_multipart=False)
            else:
                await hand_over(body, lambda source: self._put_parts(key, source, part))
        except BaseError as problem:
            raise store_away(problem) from problem

    async def _put_parts(self, key: str, source: AsyncIterator[bytes], part: int) -> None:
        await obstore.put_async(
            self._store,
            key,
            source,
            use_multipart=True,
            chunk_size=part,
            max_concurrency=PARTS_IN_FLIGHT,
        )

    async def find(self, key: str) -> Found | None:
        """The object at `key`; its bytes are not read yet."""
        try:
            whole = await obstore.get_async(self._store, key)
        except FileNotFoundError:
            return None
        except BaseError as problem:
            raise store_away(problem) from problem
        return Found(key, whole.meta["size"], whole.meta["e_tag"], whole)

    async def read(self, found: Found, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of a range, a part at a time; breaks off when the object is replaced."""
        if (start, end) == (0, found.size) and end <= self._part_bytes:
            yield bytes(await found.whole.bytes_async())
            return
        for first in range(start, end, self._part_bytes):
            yield await self._part(found, first, min(first + self._part_bytes, end))

    async def _part(self, found: Found, start: int, end: int) -> bytes:
        options: GetOptions = {"range": (start, end)}
        if found.tag is not None:
            options["if_match"] = found.tag
        try:
            part = await obstore.get_async(self._store, found.key, options=options)
            return bytes(await part.bytes_async())
        except (PreconditionError, FileNotFoundError) as problem:
            raise unavailable("The artifact was replaced while it was read.") from problem
        except BaseError as problem:
            raise store_away(problem) from problem

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, many in one request where the store takes that."""
        try:
            await obstore.delete_async(self._store, keys)
        except FileNotFoundError:
            await self._delete_each(keys)
        except BaseError as problem:
            raise store_away(problem) from problem

    async def _delete_each(self, keys: Sequence[str]) -> None:
        # One that was not there may have ended the removal of the others.
        for key in keys:
            try:
                await obstore.delete_async(self._store, key)
            except FileNotFoundError:
                continue
            except BaseError as problem:
                raise store_away(problem) from problem

    async def signed(self, key: str, seconds: int) -> str:
        """A URL of the store's own that gives an object for a while."""
        if not isinstance(self._store, S3Store | GCSStore | AzureStore):
            raise TypeError("a store without signed URLs")
        try:
            url = await obstore.sign_async(self._store, "GET", key, timedelta(seconds=seconds))
        except BaseError as problem:
            raise store_away(problem) from problem
        return str(url)


def store_away(problem: BaseException) -> Refusal:
    """The refusal for a store that is full, does not let us in or does not answer; the log says why."""
    if (isinstance(problem, OSError) and problem.errno in _FULL_DISK) or _FULL.search(str(problem)):
        _log.error("artifact_store_full", error=str(problem)[:500])
        return _store_full()
    _log.error("artifact_store_failed", error=str(problem)[:500])
    if isinstance(problem, PermissionDeniedError | UnauthenticatedError):
        return unavailable(
            "The artifact store refuses the platform: its operator has to look at the store's"
            " credentials and policies."
        )
    return unavailable("The artifact store is away; try again.")


def _store_full() -> Refusal:
    # No 503: clients would send the same bytes again and again, and nobody would see why.
    return Refusal(
        "RESOURCE_EXHAUSTED",
        "The artifact store has no room left: nothing of this file was stored. Metrics, params and"
        " tags are still taken. Ask the platform's operator to make room: a larger disk or bucket,"
        " or artifacts and deleted runs removed for good.",
        status=507,
    )


async def _counted(chunks: AsyncIterator[bytes], length: int | None) -> AsyncIterator[bytes]:
    """The chunks, ending in a refusal when they are fewer or more bytes than was said."""
    count = 0
    async for chunk in chunks:
        count += len(chunk)
        if length is not None and count > length:
            break
        if chunk:
            yield chunk
    if length is not None and count != length:
        raise invalid(f"The body has not the {length} bytes of its Content-Length; it ended early.")
