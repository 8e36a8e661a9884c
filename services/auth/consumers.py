"""Events in: every fact goes into the audit trail, and deleted workspaces are cleared."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from libs.common.contracts import auth, registry, tracking
from libs.common.contracts.topic import Topic
from libs.common.events.envelope import Event
from libs.common.events.outbox import UnitOfWork
from libs.common.service import Subscription, Together
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
SELECT $1, u.* FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],
                           $7::timestamptz[], $8::int8[], $9::jsonb[]) AS u
ON CONFLICT DO NOTHING
"""


async def record_in_trail(work: UnitOfWork, events: Sequence[Event]) -> None:
    """Keep facts as they were told; a snapshot tells nothing new and is passed over."""
    work.silent("the trail is where facts end")
    told = [event for event in events if not event.type.endswith(".snapshot")]
    if not told:
        return
    await work.connection.execute(
        _RECORD,
        told[0].tenant_no,
        [event.id for event in told],
        [event.type for event in told],
        [event.topic for event in told],
        [event.key for event in told],
        [event.subject for event in told],
        [datetime.fromisoformat(event.time) for event in told],
        [event.version for event in told],
        [msgspec.json.encode(event.fact).decode() for event in told],
    )


AUDIT: Final = Subscription(name="audit", topics=AUDITED, any_fact=Together(record_in_trail))


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
