"""Quotas: new runs and uploads within the tenant's plan; what running runs log is not asked here.

Usage is believed for a second, so a quota may be passed by what is made within it.
"""

from collections.abc import AsyncIterator

from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.model.usage import Usage
from services.tracking.queries.artifacts import stored_at
from services.tracking.queries.usage import usage_of
from services.tracking.state import state_of


async def insist_on_run_quota(running: Running, principal: Principal) -> None:
    """Refuse with 403 where the tenant may make no more runs today."""
    usage = await _usage(running, principal)
    usage.insist_on_run()
    usage.runs += 1


async def within_quota(
    running: Running,
    principal: Principal,
    path: str,
    chunks: AsyncIterator[bytes],
    length: int | None,
) -> AsyncIterator[bytes]:
    """The chunks of a new file at a clean path; a refusal 403 where there is no room for them."""
    usage = await _usage(running, principal)
    if usage.bytes_left() is None:
        return chunks
    before = await stored_at(running.database, principal.tenant_no, principal.workspace_id, path)
    body = _Counted(chunks, usage, 0 if before is None else before.content.size)
    body.check(length or 0)
    return body.within()


async def part_within_quota(
    running: Running,
    principal: Principal,
    held: int,
    chunks: AsyncIterator[bytes],
    length: int | None,
) -> AsyncIterator[bytes]:
    """The chunks of a part where the tenant's other parts hold so many bytes; else a refusal 403."""
    body = _Counted(chunks, await _usage(running, principal), -held)
    body.check(length or 0)
    return body.within()


def note_bytes(running: Running, principal: Principal, more: int) -> None:
    """So many bytes more, or fewer, were stored just now: counted where that is committed."""
    usage = state_of(running).usage.of(principal.tenant_no)
    if usage is not None:
        usage.stored += more


class _Counted:
    """A body that may be as large as there is room, and knows how much of it has come."""

    def __init__(self, chunks: AsyncIterator[bytes], usage: Usage, before: int) -> None:
        self._chunks = chunks
        self._usage = usage
        left = usage.bytes_left()
        # What it replaces makes room.
        self._most = None if left is None else left + before
        self._taken = 0

    def check(self, asked: int) -> None:
        """Refuse where so much does not fit; an empty file always does."""
        if self._most is not None and asked > max(0, self._most):
            raise self._usage.nothing_left(asked)

    async def within(self) -> AsyncIterator[bytes]:
        """The chunks, ending in a refusal where they are too many."""
        async for chunk in self._chunks:
            self._taken += len(chunk)
            self.check(self._taken)
            yield chunk


async def _usage(running: Running, principal: Principal) -> Usage:
    seen = state_of(running).usage
    usage = seen.of(principal.tenant_no)
    if usage is None:
        async with running.database.reading(principal.tenant_no) as connection:
            usage = await usage_of(connection, principal.tenant_no)
        seen.keep(principal.tenant_no, usage)
    return usage
