"""Background work of the gateway: auth is asked for revocations that may not have been heard."""

from libs.common.service import Running
from services.gateway.feed import asks_feed
from services.gateway.principals import Principals


async def confirm_revocations(running: Running) -> None:
    """See to it that revocations arrive, by the feed where the broadcast is silent; forever."""
    principals: Principals = running.state.principals
    await principals.confirmation.run(asks_feed(running.common.auth_client_secret, running.peers))
