"""Thawing: what is read of an archived run comes back from its file first, metric by metric.

A read looks for frozen metrics in the snapshot in which it reads. Where there are some, it waits until
they are back and looks again: it sees all of a metric's points, or is refused with 503. Nobody needs a
permission for this beyond the one to read; the points stay the same.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, TypeVar
from uuid import UUID

from libs.common.database import Connection
from libs.common.errors import Refusal, unavailable
from libs.common.events.outbox import Acting, Caused, unit_of_work
from libs.common.failpoints import reach
from libs.common.service import Running
from services.tracking.archive import files
from services.tracking.archive.parquet import Points, points_in
from services.tracking.metrics import THAWED_POINTS
from services.tracking.model.archive import Frozen
from services.tracking.state import state_of
from services.tracking.store import thawing as store

T = TypeVar("T")
# What was brought back may be frozen again at once only by a clock that has gone astray.
ATTEMPTS: Final = 3


@asynccontextmanager
async def reading_points(
    running: Running,
    acting: Acting,
    workspace_id: int,
    run_ids: Sequence[UUID],
    key: str | None,
) -> AsyncIterator[Connection]:
    """A snapshot that has all points which some runs show of a metric; of any, where it is None."""
    for _ in range(ATTEMPTS):
        async with running.database.reading(acting.tenant_no) as connection:
            frozen = await store.shown(connection, acting.tenant_no, workspace_id, run_ids, key)
            if not frozen:
                yield connection
                return
        await thaw(running, acting, frozen)
    raise _put_away()


async def unfrozen(
    running: Running,
    acting: Acting,
    workspace_id: int,
    run_ids: Sequence[UUID],
    key: str,
    read: Callable[[], Awaitable[T | None]],
) -> T:
    """What `read` gives: None where points of a metric are frozen, which then come back first."""
    for _ in range(ATTEMPTS):
        found = await read()
        if found is not None:
            return found
        async with running.database.reading(acting.tenant_no) as connection:
            frozen = await store.shown(connection, acting.tenant_no, workspace_id, run_ids, key)
        await thaw(running, acting, frozen)
    raise _put_away()


def _put_away() -> Refusal:
    return unavailable("Archived points of this run were put away while they were read; try again.")


async def thaw(running: Running, acting: Acting, metrics: Iterable[Frozen]) -> None:
    """Bring metrics back from their files; raises a refusal 503 where one cannot be read.

    Who asks for a metric that is on its way waits for that. It comes even if nobody waits any more, so
    that a large one is there when it is asked for again.
    """
    thawing = state_of(running).thawing
    caused = Caused(acting.tenant, acting.tenant_no, acting.subject)
    awaited = []
    for metric in metrics:
        name = (acting.tenant_no, metric.run_no, metric.metric.key_no)
        task = thawing.get(name)
        if task is None:
            task = asyncio.create_task(_thaw(running, caused, metric))
            thawing[name] = task
            task.add_done_callback(partial(_forget, running, name))
        awaited.append(asyncio.shield(task))
    for problem in await asyncio.gather(*awaited, return_exceptions=True):
        if isinstance(problem, BaseException):
            raise problem


def _forget(running: Running, name: tuple[int, int, int], done: asyncio.Task[None]) -> None:
    state_of(running).thawing.pop(name, None)
    if not done.cancelled():
        done.exception()  # told to whoever waited


async def _thaw(running: Running, acting: Caused, frozen: Frozen) -> None:
    async with state_of(running).thaws_at_once:
        footer, held = await _fetched(running, frozen)
        async with unit_of_work(running, acting) as work:
            work.silent("the same points, in the tables again")
            if not await store.lock(work.connection, acting.tenant_no, frozen):
                return  # another process was faster, or the file was replaced
            count = 0
            async for points in decoded(frozen, footer, held):
                await store.restore(work.connection, acting.tenant_no, frozen, points)
                count += len(points.steps)
            if count != frozen.metric.points:
                raise files.damaged(frozen.object_key, f"{count} points of {frozen.key!r}")
            await store.thawed(work.connection, acting.tenant_no, frozen)
            reach("thaw.before-commit")
        THAWED_POINTS.inc(count)


async def _fetched(running: Running, frozen: Frozen) -> tuple[bytes, bytes]:
    """The footer of a metric's file, and the bytes of it that hold the metric."""
    artifacts = state_of(running).artifacts
    file = await files.found(artifacts, frozen.object_key, frozen.size)
    metric = frozen.metric
    return (
        await files.read(artifacts, file, frozen.footer_at, frozen.size, frozen.footer_sha256),
        await files.read(artifacts, file, metric.first_byte, metric.end_byte, metric.sha256),
    )


async def decoded(frozen: Frozen, footer: bytes, held: bytes) -> AsyncIterator[Points]:
    """A metric's points, as much at a time as lies in a row group."""
    first = frozen.metric.first_byte
    found = points_in(frozen.size, footer, first, held, frozen.key)
    while points := await asyncio.to_thread(next, found, None):
        yield points
