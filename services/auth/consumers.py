"""Events in: every fact goes into the audit trail, and deleted workspaces are cleared."""

from datetime import datetime
from typing import Final

import msgspec

from libs.common.contracts import auth, registry, tracking
from libs.common.contracts.topic import Topic
from libs.common.events.envelope import Event
from libs.common.events.outbox import UnitOfWork
from libs.common.service import Subscription
from services.auth.commands.workspaces import owner_cleared

AUDITED: Final[tuple[Topic, ...]] = (
    auth.TENANTS,
    auth.USERS,
    auth.INVITATIONS,
    auth.TOKENS,
    auth.ROLES,
    auth.GRANTS,
    auth.ACCESS,
    auth.WORKSPACES,
    tracking.EXPERIMENTS,
    tracking.RUNS,
    tracking.LOGGED_MODELS,
    tracking.WORKSPACES,
    registry.REGISTERED_MODELS,
    registry.MODEL_VERSIONS,
    registry.SOURCES,
    registry.WORKSPACES,
)

_RECORD: Final = """
INSERT INTO audit_events (tenant_no, event_id, type, topic, subject, actor, happened_at, version,
                          payload)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING
"""


async def record_in_trail(work: UnitOfWork, event: Event) -> None:
    """Keep a fact as it was told; a snapshot tells nothing new and is passed over."""
    work.silent("the trail is where facts end")
    if event.type.endswith(".snapshot"):
        return
    await work.connection.execute(
        _RECORD,
        event.tenant_no,
        event.id,
        event.type,
        event.topic,
        event.key,
        event.subject,
        datetime.fromisoformat(event.time),
        event.version,
        msgspec.json.encode(event.fact).decode(),
    )


AUDIT: Final = Subscription(name="audit", topics=AUDITED, any_fact=record_in_trail)


async def tracking_cleared(work: UnitOfWork, event: Event) -> None:
    """No experiment is left in a deleted workspace."""
    await owner_cleared(work, event.fact.workspace_id, "tracking")


async def registry_cleared(work: UnitOfWork, event: Event) -> None:
    """No registered model is left in a deleted workspace."""
    await owner_cleared(work, event.fact.workspace_id, "registry")


WORKSPACES_CLEARED: Final = Subscription(
    name="workspaces",
    topics=(tracking.WORKSPACES, registry.WORKSPACES),
    handlers={
        tracking.WorkspaceCleared: tracking_cleared,
        registry.WorkspaceCleared: registry_cleared,
    },
)
