"""Packing: points that came one by one, and small segments, become full segments.

Each transaction packs a bounded number of points of one metric of one run. A process that dies
leaves all points where they are, or has them packed.
"""

import asyncio

from libs.common.events.outbox import Caused, unit_of_work
from libs.common.failpoints import reach
from libs.common.service import Running
from services.tracking.metrics import PACKED
from services.tracking.store import packing as store


async def pack(running: Running, acting: Caused, seconds: float) -> int:
    """Pack what a tenant has to pack, for so many seconds at most; how many metrics were."""
    clock = asyncio.get_running_loop().time
    ends = clock() + seconds
    done = 0
    # Small segments first: what lies apart is then packed with the last of them.
    for look in (store.in_part, store.apart):
        after: tuple[int, int] | None = store.START
        while after is not None and clock() < ends:
            async with running.database.reading(acting.tenant_no) as connection:
                page = await look(connection, acting.tenant_no, after)
            after = page.after
            for metric in page.metrics:
                while clock() < ends and await _folded(running, acting, metric):
                    pass
                done += 1
    return done


async def _folded(running: Running, acting: Caused, metric: store.Metric) -> bool:
    """One transaction; whether more of the metric is left to pack."""
    async with unit_of_work(running, acting) as work:
        work.silent("the same points, stored otherwise")
        more = await store.fold(work.connection, acting.tenant_no, metric)
        reach("packer.before-commit")
    PACKED.inc()
    return more
