"""Background work of tracking: deleted workspaces are cleared, contents that nobody holds freed."""

import asyncio
from typing import Final

from libs.common.errors import Refusal
from libs.common.leaving import clear_for_ever
from libs.common.service import Running
from libs.common.telemetry.logs import logger
from services.tracking.commands.contents import free_contents
from services.tracking.commands.workspaces import cleared, sweep

SWEEP_SECONDS: Final = 180.0
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
