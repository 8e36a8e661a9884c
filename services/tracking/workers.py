"""Background work of tracking: deleted workspaces are cleared, contents that nobody holds freed,
what is past its time removed, points packed and archived, and live events handed out.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Final

from libs.common.database import Connection
from libs.common.errors import Refusal
from libs.common.events.outbox import Caused
from libs.common.leaving import clear_for_ever
from libs.common.service import Running
from libs.common.telemetry.logs import logger
from services.tracking.commands.archiving import archive
from services.tracking.commands.collecting import collect
from services.tracking.commands.contents import free_contents
from services.tracking.commands.packing import pack
from services.tracking.commands.workspaces import cleared, sweep
from services.tracking.model.retention import Scope
from services.tracking.queries.retention import tenants
from services.tracking.state import state_of
from services.tracking.store import archiving, packing
from services.tracking.store.condemned import leads

SWEEP_SECONDS: Final = 180.0
COLLECT_SECONDS: Final = 300.0
TEND_SECONDS: Final = 1.0
# Of one tenant, so that a long backlog does not keep the others waiting.
STEP_SECONDS: Final = 20.0
COLLECTOR: Final = "maestro-collector"
PACKER: Final = "maestro-packer"
ARCHIVER: Final = "maestro-archiver"
# Packer and archiver rest nine times as long as they work, however many tenants there are.
REST: Final = 9.0
_log = logger(__name__)


async def clear_workspaces(running: Running) -> None:
    """Move or put aside what deleted workspaces hold; forever."""
    await clear_for_ever(running, sweep, cleared)


async def sweep_contents(running: Running) -> None:
    """Free what no path has held for the grace period, and uploads that were given up; forever."""
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        try:
            freed = await free_contents(running, running.settings.artifact_grace_seconds)
        except Refusal as problem:
            _log.warning("contents_not_freed", error=problem.message)
        else:
            if freed.objects:
                _log.info("contents_freed", objects=freed.objects, bytes=freed.bytes)


async def collect_garbage(running: Running) -> None:
    """Remove for good what is past its time, tenant by tenant; one process at a time; forever."""
    while True:
        await asyncio.sleep(COLLECT_SECONDS)
        try:
            async with running.database.transaction() as connection:
                if await leads(connection):
                    await _collect_all(running)
        except Refusal as problem:
            _log.warning("garbage_not_collected", error=problem.message)


async def hand_out_events(running: Running) -> None:
    """Hand what is committed to runs to those who listen to them; forever."""
    await state_of(running).live.run(running)


async def tend_listeners(running: Running) -> None:
    """Look after those who listen, and send them away when the process is to end; forever."""
    live = state_of(running).live
    while True:
        try:
            async with asyncio.timeout(TEND_SECONDS):
                await running.ending.wait()
        except TimeoutError:
            await live.tend()
        else:
            live.end_all("ending")
            await asyncio.sleep(TEND_SECONDS)


async def _collect_all(running: Running) -> None:
    for tenant_no, tenant in await tenants(running.database):
        scope = Scope(
            tenant=tenant,
            tenant_no=tenant_no,
            subject=COLLECTOR,
            workspace_id=None,
            default_days=running.settings.retention_days,
            seconds=STEP_SECONDS,
        )
        try:
            done = await collect(running, scope)
        except Exception:  # noqa: BLE001 - a fault of one tenant must not keep all that others have
            _log.exception("garbage_not_collected", tenant=tenant)
        else:
            if done.anything:
                _log.info("garbage_collected", tenant=tenant, **asdict(done))


async def pack_points(running: Running) -> None:
    """Pack points, tenant by tenant; one process at a time; forever."""
    seconds = running.settings.pack_seconds
    await _restingly(running, packing.leads, _pack_all, seconds, "points_not_packed")


async def archive_points(running: Running) -> None:
    """Put points of runs that ended long ago into files; one process at a time; forever."""
    seconds = running.settings.archive_seconds
    await _restingly(running, archiving.leads, _archive_all, seconds, "points_not_archived")


async def _restingly(
    running: Running,
    leads: Callable[[Connection], Awaitable[bool]],
    work: Callable[[Running], Awaitable[None]],
    seconds: float,
    failed: str,
) -> None:
    clock = asyncio.get_running_loop().time
    took = 0.0
    while True:
        await asyncio.sleep(max(seconds, REST * took))
        began = clock()
        try:
            async with running.database.transaction() as connection:
                if await leads(connection):
                    await work(running)
        except Refusal as problem:
            _log.warning(failed, error=problem.message)
        took = clock() - began


async def _pack_all(running: Running) -> None:
    for tenant_no, tenant in await tenants(running.database):
        try:
            done = await pack(running, Caused(tenant, tenant_no, PACKER), STEP_SECONDS)
        except Exception:  # noqa: BLE001 - a fault of one tenant must not keep all that others have
            _log.exception("points_not_packed", tenant=tenant)
        else:
            if done:
                _log.info("points_packed", tenant=tenant, metrics=done)


async def _archive_all(running: Running) -> None:
    for tenant_no, tenant in await tenants(running.database):
        try:
            done = await archive(running, Caused(tenant, tenant_no, ARCHIVER), STEP_SECONDS)
        except Exception:  # noqa: BLE001 - a fault of one tenant must not keep all that others have
            _log.exception("points_not_archived", tenant=tenant)
        else:
            if done:
                _log.info("points_archived", tenant=tenant, runs=done)
