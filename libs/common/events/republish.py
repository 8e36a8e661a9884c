"""Republish: a producer tells the current state of its aggregates again, as snapshot facts.

They pass through the outbox like any fact, so order a key holds; a projection that knows a state
already passes it over by its version, and one that was emptied is built anew.
"""

from typing import Final

from libs.common.events.outbox import Caused, unit_of_work
from libs.common.service import Running, Snapshot

PAGE: Final = 500
SUBJECT: Final = "maestro-republish"
_TENANTS: Final = "SELECT tenant_no, tenant FROM known_tenants ORDER BY tenant_no"


async def republish(running: Running) -> dict[str, int]:
    """Tell everything again, tenant by tenant; how many facts a topic."""
    told = {snapshot.topic.name: 0 for snapshot in running.service.snapshots}
    for tenant in await running.database.fetch(_TENANTS):
        caused = Caused(str(tenant["tenant"]), tenant["tenant_no"], SUBJECT)
        for snapshot in running.service.snapshots:
            told[snapshot.topic.name] += await _tell(running, snapshot, caused)
    return told


async def _tell(running: Running, snapshot: Snapshot, caused: Caused) -> int:
    told, last = 0, ""
    while True:
        async with unit_of_work(running, caused) as work:
            work.silent("nothing is left to tell")
            rows = await work.connection.fetch(snapshot.query, caused.tenant_no, last, PAGE)
            for row in rows:
                work.record(snapshot.fact(row))
        if not rows:
            return told
        told += len(rows)
        last = str(rows[-1][0])
