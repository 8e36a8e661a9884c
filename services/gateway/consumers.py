"""Events in: what was revoked is forgotten in every gateway process as soon as it is heard."""

from typing import Final

from libs.common.contracts.auth import TOKENS, USERS, PasswordChanged, TokenRevoked
from libs.common.events.envelope import Event
from libs.common.service import Running, Subscription
from services.gateway.principals import Principals


async def forget_revoked(running: Running, event: Event) -> None:
    """A token was revoked: what it was exchanged for is not used again."""
    principals: Principals = running.state
    revoked: TokenRevoked = event.fact
    principals.revocations.heard(revoked.token.token_id)


async def forget_signed_in(running: Running, event: Event) -> None:
    """A password was changed: what the old one was exchanged for is not used again."""
    principals: Principals = running.state
    changed: PasswordChanged = event.fact
    principals.revocations.heard(changed.ended)


async def forget_missed(running: Running) -> None:
    """The broadcast was (re)connected: what was revoked before that may have been missed."""
    principals: Principals = running.state
    principals.revocations.connected()


REVOCATIONS: Final = Subscription(
    name="revocations",
    topics=(TOKENS, USERS),
    handlers={TokenRevoked: forget_revoked, PasswordChanged: forget_signed_in},
    kind="broadcast",
    connected=forget_missed,
)
