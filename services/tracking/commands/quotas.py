"""Quotas: new runs and uploads within the tenant's plan; what running runs log is not asked here.

Usage is believed for a second, so a quota may be passed by what is made within it.
"""

from collections.abc import AsyncIterator

from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.artifacts.objects import ArtifactStore
from services.tracking.model.usage import Usage
from services.tracking.queries.usage import usage_of
from services.tracking.state import state_of
from services.tracking.store.usage import count_bytes


async def insist_on_run_quota(running: Running, principal: Principal) -> None:
    """Refuse with 403 where the tenant may make no more runs today."""
    usage = await _usage(running, principal)
    usage.insist_on_run()
    usage.runs += 1


async def put_within_quota(
    running: Running,
    principal: Principal,
    key: str,
    chunks: AsyncIterator[bytes],
    length: int | None,
) -> None:
    """Store a body, and count what it adds; a refusal 403 where there is no room for it."""
    store = state_of(running).artifacts
    usage = await _usage(running, principal)
    before = await _size(store, key)
    body = _Counted(chunks, usage, before)
    body.check(length or 0)
    await store.put(key, body.within(), length)
    await _count(running, principal, usage, body.taken - before)


async def delete_counted(running: Running, principal: Principal, key: str) -> None:
    """Remove what is at a key and below it, and count it off."""
    store = state_of(running).artifacts
    usage = await _usage(running, principal)
    before = await _size_below(store, key)
    await store.delete(key)
    await _count(running, principal, usage, -before)


class _Counted:
    """A body that may be as large as there is room, and knows how much of it has come."""

    def __init__(self, chunks: AsyncIterator[bytes], usage: Usage, before: int) -> None:
        self._chunks = chunks
        self._usage = usage
        left = usage.bytes_left()
        # What it replaces makes room.
        self._most = None if left is None else left + before
        self.taken = 0

    def check(self, asked: int) -> None:
        """Refuse where so much does not fit; an empty file always does."""
        if self._most is not None and asked > max(0, self._most):
            raise self._usage.nothing_left(asked)

    async def within(self) -> AsyncIterator[bytes]:
        """The chunks, ending in a refusal where they are too many."""
        async for chunk in self._chunks:
            self.taken += len(chunk)
            self.check(self.taken)
            yield chunk


async def _usage(running: Running, principal: Principal) -> Usage:
    seen = state_of(running).usage
    usage = seen.of(principal.tenant_no)
    if usage is None:
        async with running.database.reading(principal.tenant_no) as connection:
            usage = await usage_of(connection, principal.tenant_no)
        seen.keep(principal.tenant_no, usage)
    return usage


async def _count(running: Running, principal: Principal, usage: Usage, more: int) -> None:
    if more:
        usage.stored += more
        async with running.database.transaction(principal.tenant_no) as connection:
            await count_bytes(connection, principal.tenant_no, more)


async def _size(store: ArtifactStore, key: str) -> int:
    found = await store.find(key)
    return 0 if found is None else found.size


async def _size_below(store: ArtifactStore, key: str) -> int:
    entries = await store.entries(key)
    if not entries:
        return await _size(store, key)
    total = 0
    for entry in entries:
        below = f"{key}/{entry.name}"
        total += await _size_below(store, below) if entry.is_folder else entry.size or 0
    return total
