"""Background work: started with its service, kept alive while it runs, ended for certain."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from libs.common.telemetry.logs import logger

Job = Callable[[], Awaitable[Any]]
AGAIN_SECONDS: Final = 1.0
GIVEN_UP_AFTER: Final = 30
_log = logger(__name__)


@asynccontextmanager
async def background(jobs: Mapping[str, Job]) -> AsyncIterator[None]:
    """Run `jobs`, each a task of its name, for as long as the block lasts."""
    tasks = [asyncio.create_task(kept_alive(name, job), name=name) for name, job in jobs.items()]
    try:
        yield
    finally:
        await ended(tasks)


async def kept_alive(name: str, job: Job) -> None:
    """A job ends only by cancellation; one that falls over is reported and started again."""
    while True:
        try:
            await job()
        except asyncio.CancelledError:
            if asked_to_end():
                raise
            # A client's own cancelled task, awaited inside the job: nobody asked us to end.
            _log.exception("background_job_cancelled_inside", job=name)
        except Exception:  # noqa: BLE001 - whatever it was, the others go on
            _log.exception("background_job_failed", job=name)
        await asyncio.sleep(AGAIN_SECONDS)


def asked_to_end() -> bool:
    """Whether the current task was cancelled, rather than something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel `tasks` and wait until they have ended, or for half a minute."""
    left = set(tasks)
    for _ in range(GIVEN_UP_AFTER):
        if not left:
            return
        # Asked again until it ends: a wait_for that is just done swallows a cancellation.
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=1)
    for task in left:
        # A process that cannot end is worse than a task left behind in one that does.
        place = task.get_stack(limit=1)
        _log.error("task_does_not_end", task=task.get_name(), place=repr(place))
