"""Events in: what was revoked is dropped in every gateway process as soon as it is heard."""

from datetime import datetime
from typing import Final

from libs.common.contracts.auth import (
    ACCESS,
    HEARTBEAT,
    TENANTS,
    TOKENS,
    USERS,
    WORKSPACES,
    AccessChanged,
    HeartbeatSent,
    PasswordChanged,
    TenantChanged,
    TokenRevoked,
    WorkspaceDeleted,
)
from libs.common.events.envelope import Event
from libs.common.service import Running, Subscription
from services.gateway.metrics import REVOKED_BY
from services.gateway.principals import Principals


async def drop_token(running: Running, event: Event) -> None:
    """A token was revoked: what it was exchanged for is not used again."""
    principals: Principals = running.state.principals
    revoked: TokenRevoked = event.fact
    _count(news=principals.revocations.token_revoked(revoked.token.token_id))


async def drop_sign_in(running: Running, event: Event) -> None:
    """A password was changed: what the old one was exchanged for is not used again."""
    principals: Principals = running.state.principals
    changed: PasswordChanged = event.fact
    _count(news=principals.revocations.token_revoked(changed.ended))


async def drop_subject(running: Running, event: Event) -> None:
    """A subject's role, grants or status changed: what was minted before is not used again."""
    principals: Principals = running.state.principals
    changed: AccessChanged = event.fact
    news = principals.revocations.access_changed(
        event.tenant_no,
        changed.access.subject,
        changed.version,
        active=changed.access.status == "active",
    )
    _count(news=news)


async def drop_tenant(running: Running, event: Event) -> None:
    """A tenant was suspended: what its members hold is not used again."""
    principals: Principals = running.state.principals
    changed: TenantChanged = event.fact
    if changed.tenant.status == "suspended":
        tenant_no = changed.tenant.tenant_no
        _count(news=principals.revocations.tenant_suspended(tenant_no, changed.version))


async def drop_workspace(running: Running, event: Event) -> None:
    """A workspace was deleted: nobody works in it any more."""
    principals: Principals = running.state.principals
    deleted: WorkspaceDeleted = event.fact
    workspace_id = deleted.workspace.workspace_id
    _count(news=principals.revocations.workspace_deleted(event.tenant_no, workspace_id))


async def confirm(running: Running, event: Event) -> None:
    """A heartbeat: all that ended before it was told."""
    principals: Principals = running.state.principals
    beat: HeartbeatSent = event.fact
    told_at = datetime.fromisoformat(event.time).timestamp()
    principals.confirmation.heartbeat(told_at, beat.last_revocation)


async def ask_for_missed(running: Running) -> None:
    """The broadcast was (re)connected: what was revoked before that is asked for."""
    principals: Principals = running.state.principals
    principals.confirmation.connected()


def _count(*, news: bool) -> None:
    if news:
        REVOKED_BY["broadcast"].inc()


REVOCATIONS: Final = Subscription(
    name="revocations",
    topics=(TOKENS, USERS, ACCESS, TENANTS, WORKSPACES, HEARTBEAT),
    handlers={
        TokenRevoked: drop_token,
        PasswordChanged: drop_sign_in,
        AccessChanged: drop_subject,
        TenantChanged: drop_tenant,
        WorkspaceDeleted: drop_workspace,
        HeartbeatSent: confirm,
    },
    kind="broadcast",
    connected=ask_for_missed,
)
