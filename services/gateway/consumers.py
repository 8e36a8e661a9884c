"""Events in: revoked tokens are forgotten in every gateway process as soon as they are heard."""

from typing import Final

from libs.common.contracts.auth import TOKENS, TokenRevoked
from libs.common.events.envelope import Event
from libs.common.service import Running, Subscription
from services.gateway.principals import Principals


async def forget_revoked(running: Running, event: Event) -> None:
    """A token was revoked: what it was exchanged for is not used again."""
    principals: Principals = running.state.principals
    revoked: TokenRevoked = event.fact
    principals.revocations.heard(revoked.token.token_id)


async def forget_missed(running: Running) -> None:
    """The broadcast was (re)connected: what was revoked before that may have been missed."""
    principals: Principals = running.state.principals
    principals.revocations.connected()


REVOCATIONS: Final = Subscription(
    name="revocations",
    topics=(TOKENS,),
    handlers={TokenRevoked: forget_revoked},
    kind="broadcast",
    connected=forget_missed,
)
