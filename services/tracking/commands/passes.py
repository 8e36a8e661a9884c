"""Giving passes to producers that publish events of their runs."""

import time

from libs.common.errors import unavailable
from libs.common.principal import Principal
from libs.common.service import Running
from services.tracking.model.passes import pass_of
from services.tracking.queries.access import insist_somewhere
from services.tracking.state import state_of


async def give_pass(
    running: Running, principal: Principal, permission: str
) -> tuple[str, str, int]:
    """A pass, its secret, and when it ends, in seconds since 1970.

    Whoever may log into nothing gets none, as the broker's credential goes with it. Nothing is
    written: what a pass may do is decided anew whenever a message is applied.
    """
    await insist_somewhere(running, principal, permission)
    if not running.settings.kafka_producer_password:
        raise unavailable("This platform takes no events of producers: it has no user for them.")
    granted = pass_of(principal, int(time.time()))
    return *state_of(running).passes.sealed(granted), granted.expires_at
