"""Background work of the gateway: auth is asked for revocations that may not have been heard, and
streams are looked at, which outlast what they were admitted with.
"""

import asyncio

from libs.common.service import Running
from services.gateway.feed import asks_feed
from services.gateway.listeners import LOOK_SECONDS, Listeners
from services.gateway.principals import Principals


async def confirm_revocations(running: Running) -> None:
    """See to it that revocations arrive, by the feed where the broadcast is silent; forever."""
    principals: Principals = running.state.principals
    await principals.confirmation.run(asks_feed(running.common.auth_client_secret, running.peers))


async def look_at_listeners(running: Running) -> None:
    """Renew what streams were admitted with; end them when the process is to end; forever."""
    listeners: Listeners = running.state.listeners
    while True:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await running.ending.wait()
        except TimeoutError:
            await listeners.look()
        else:
            listeners.end_all()
            await asyncio.sleep(LOOK_SECONDS)
