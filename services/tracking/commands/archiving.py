"""Archiving: points of runs that ended long ago leave the tables for a Parquet file in the store.

The file is written from one snapshot, beside everything else, and read back. Then one transaction puts
it in the place of the segments that were read, unless the run was touched meanwhile. Before its first
byte a row tells of the object, as of an artifact's: whenever a process dies the points are where they
were, or in the file, and what is left over is found by the sweep.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from libs.common.errors import Refusal
from libs.common.events.outbox import Caused, unit_of_work
from libs.common.failpoints import reach
from libs.common.service import Running
from libs.common.telemetry.logs import logger
from services.tracking.archive import files
from services.tracking.archive.parquet import Writer, rows_in
from services.tracking.artifacts.paths import new_key
from services.tracking.commands.thawing import decoded, thaw
from services.tracking.metrics import ARCHIVED_BYTES, ARCHIVED_POINTS, ARCHIVED_RUNS
from services.tracking.model.archive import ArchivedFile, ArchivedMetric, Frozen
from services.tracking.state import state_of
from services.tracking.store import archiving as store
from services.tracking.store import contents, packing, thawing

# What was brought back by a read stays for so long at least.
THAWED_SECONDS: Final = 86_400.0
METRICS_A_PAGE: Final = 100
_log = logger(__name__)


class _Touched(Exception):
    """The run is not as it was when it was read; nothing is changed."""


@dataclass(slots=True)
class _Written:
    """A file on its way: what it is made from, and what is known of it once it is written."""

    run: store.Candidate
    segments: list[int] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    writer: Writer | None = None
    digest: bytes = b""


async def archive(running: Running, acting: Caused, seconds: float) -> int:
    """Archive what a tenant has to archive, for so many seconds at most; how many runs were."""
    clock = asyncio.get_running_loop().time
    ends = clock() + seconds
    days, least = running.settings.archive_days, running.settings.archive_points
    await _freeze_again(running, acting)
    done, after = 0, 0
    async with running.database.reading(acting.tenant_no) as connection:
        more = await store.archives(connection, acting.tenant_no, days)
    while more and clock() < ends:
        async with running.database.reading(acting.tenant_no) as connection:
            page = await store.due(connection, acting.tenant_no, after, days, least)
        for run in page.runs:
            if clock() < ends:
                done += await _tried(running, acting, run)
        more, after = page.after is not None, page.after or 0
    return done


async def _tried(running: Running, acting: Caused, run: store.Candidate) -> bool:
    try:
        return await archive_run(running, acting, run)
    except Refusal as problem:
        # The next run may have better luck; of a store that is away each costs one attempt.
        _log.warning("run_not_archived", run_id=run.run_id, error=problem.message)
        return False


async def archive_run(running: Running, acting: Caused, run: store.Candidate) -> bool:
    """Archive one run; False where it was touched meanwhile."""
    async with running.database.reading(acting.tenant_no) as connection:
        frozen = await thawing.of_run(connection, acting.tenant_no, run.run_no)
    await thaw(running, acting, frozen)
    await _pack(running, acting, run)
    key = new_key(acting.tenant)
    await contents.begin_object(running.database, key)
    try:
        reach("archive.before-upload")
        written = _Written(run)
        await state_of(running).artifacts.put(key, _file(running, acting, written), None)
        reach("archive.after-upload")
        file = await _verified(running, key, written)
        await _replace(running, acting, written, file)
    except BaseException as problem:
        with suppress(Refusal):  # The sweep finds it later.
            await contents.give_up_objects(running.database, [key])
        if isinstance(problem, _Touched):
            return False
        raise
    reach("archive.after-commit")
    ARCHIVED_RUNS.inc()
    ARCHIVED_BYTES.inc(file.size)
    ARCHIVED_POINTS.inc(sum(metric.points for metric in file.metrics))
    return True


async def _freeze_again(running: Running, acting: Caused) -> None:
    """Leave to their files what was brought back long ago; what is to stay is weighed anew later."""
    for run_no, key_no in await _thawed(running, acting):
        async with unit_of_work(running, acting) as work:
            work.silent("the same points, in their file alone again")
            await store.freeze_again(work.connection, acting.tenant_no, run_no, key_no)
            reach("freeze.before-commit")


async def _thawed(running: Running, acting: Caused) -> list[tuple[int, int]]:
    async with running.database.reading(acting.tenant_no) as connection:
        return await store.thawed_long_ago(
            connection, acting.tenant_no, THAWED_SECONDS, METRICS_A_PAGE
        )


async def _pack(running: Running, acting: Caused, run: store.Candidate) -> None:
    """Have all points of a run lie in segments, which are known by their numbers."""
    async with running.database.reading(acting.tenant_no) as connection:
        keys = await store.apart(connection, acting.tenant_no, run.run_no)
    for key_no in keys:
        more = True
        while more:
            async with unit_of_work(running, acting) as work:
                work.silent("the same points, stored otherwise")
                metric = packing.Metric(run.run_no, key_no, 1, 2)
                more = await packing.fold(work.connection, acting.tenant_no, metric)


async def _file(running: Running, acting: Caused, written: _Written) -> AsyncIterator[bytes]:
    """The bytes of a run's file, from one snapshot."""
    run, tenant_no = written.run, acting.tenant_no
    digest = sha256()
    writer = written.writer = await asyncio.to_thread(Writer, run.run_id)
    async with running.database.reading(tenant_no) as connection:
        written.segments = await store.segments(connection, tenant_no, run.run_no)
        written.numbers = await store.keys(connection, tenant_no, run.run_no)
        for key, key_no in written.numbers.items():
            await asyncio.to_thread(writer.begin, key)
            async for rows in store.points(connection, tenant_no, run.run_no, key_no):
                await asyncio.to_thread(writer.add, rows)
                if piece := writer.taken():
                    digest.update(piece)
                    yield piece
    await asyncio.to_thread(writer.close)
    piece = writer.taken()
    digest.update(piece)
    written.digest = digest.digest()
    yield piece


async def _verified(running: Running, key: str, written: _Written) -> ArchivedFile:
    """What lies in the store, read back: byte for byte, and each metric as it will be read."""
    writer = written.writer
    assert writer is not None
    artifacts = state_of(running).artifacts
    found = await files.found(artifacts, key, writer.size)
    digest = sha256()
    footer = b""
    position = 0
    async for piece in artifacts.read(found, 0, writer.size):
        digest.update(piece)
        footer += piece[max(0, writer.footer_at - position) :]
        position += len(piece)
    if digest.digest() != written.digest:
        raise files.damaged(key, "other bytes than were written")
    if await asyncio.to_thread(rows_in, writer.size, footer) != writer.rows:
        raise files.damaged(key, "other rows than were written")
    file = ArchivedFile(
        object_key=key,
        size=writer.size,
        sha256=written.digest,
        footer_at=writer.footer_at,
        footer_sha256=sha256(footer).digest(),
        metrics=[],
    )
    for name, extent in writer.extents.items():
        held = b"".join([p async for p in artifacts.read(found, extent.first, extent.end)])
        metric = ArchivedMetric(
            written.numbers[name], extent.first, extent.end, sha256(held).digest(), extent.points
        )
        await _insist_on(file, written.run, name, metric, footer, held)
        if metric.points:
            file.metrics.append(metric)
    return file


async def _insist_on(
    file: ArchivedFile,
    run: store.Candidate,
    name: str,
    metric: ArchivedMetric,
    footer: bytes,
    held: bytes,
) -> None:
    frozen = Frozen(
        run_no=run.run_no,
        key=name,
        object_key=file.object_key,
        size=file.size,
        footer_at=file.footer_at,
        footer_sha256=file.footer_sha256,
        metric=metric,
    )
    count = 0
    async for points in decoded(frozen, footer, held):
        count += len(points.steps)
    if count != metric.points:
        raise files.damaged(file.object_key, f"{count} points of {name!r}")


async def _replace(running: Running, acting: Caused, written: _Written, file: ArchivedFile) -> None:
    run_no, days = written.run.run_no, running.settings.archive_days
    async with unit_of_work(running, acting) as work:
        work.silent("the same points, in a file")
        values = (work.connection, acting.tenant_no, run_no, written.segments)
        if not await store.is_untouched(*values, days):
            raise _Touched
        if not await store.replace_points(*values, file):
            raise _Touched
        reach("archive.before-commit")
