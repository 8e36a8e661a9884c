"""Events in: revoked tokens and deleted workspaces are forgotten by every gateway at once."""

from typing import Final

from libs.common.contracts.auth import TOKENS, WORKSPACES, TokenRevoked, WorkspaceDeleted
from libs.common.events.envelope import Event
from libs.common.service import Running, Subscription
from services.gateway.principals import Principals


async def forget_revoked(running: Running, event: Event) -> None:
    """A token was revoked: what it was exchanged for is not used again."""
    principals: Principals = running.state
    revoked: TokenRevoked = event.fact
    principals.revocations.heard(revoked.token.token_id)


async def forget_workspace(running: Running, event: Event) -> None:
    """A workspace was deleted: nobody works in it any more."""
    principals: Principals = running.state
    deleted: WorkspaceDeleted = event.fact
    principals.revocations.workspace_deleted(event.tenant_no, deleted.workspace.workspace_id)


async def forget_missed(running: Running) -> None:
    """The broadcast was (re)connected: what was revoked before that may have been missed."""
    principals: Principals = running.state
    principals.revocations.connected()


REVOCATIONS: Final = Subscription(
    name="revocations",
    topics=(TOKENS, WORKSPACES),
    handlers={TokenRevoked: forget_revoked, WorkspaceDeleted: forget_workspace},
    kind="broadcast",
    connected=forget_missed,
)
