"""The heartbeat: a fact a second, whose silence tells gateways that revocations may not arrive."""

from typing import Final

from libs.common.contracts.auth import HeartbeatSent
from libs.common.events.outbox import Caused, Recording, unit_of_work
from services.auth.store.revocations import claim_beat

# It is no tenant's: the number of none, and the UUID of none (RFC 9562, 5.9).
_NOBODYS: Final = Caused("00000000-0000-0000-0000-000000000000", 0, "system:auth")


async def send_heartbeat(running: Recording) -> bool:
    """Tell a heartbeat if one is due; whether it was.

    It takes the way of every fact, so that it stops where a revocation would: at the database, at
    the relay, at the broker.
    """
    async with unit_of_work(running, _NOBODYS) as work:
        beat = await claim_beat(work.connection)
        if beat is None:
            work.silent("another process has told it")
            return False
        work.record(HeartbeatSent(version=beat.number, last_revocation=beat.last_revocation))
    return True
