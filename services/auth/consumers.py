"""Events in: every fact of every service goes into the audit trail."""

from datetime import datetime
from typing import Final

import msgspec

from libs.common.contracts import auth, registry, tracking
from libs.common.contracts.topic import Topic
from libs.common.events.envelope import Event
from libs.common.events.outbox import UnitOfWork
from libs.common.service import Subscription

AUDITED: Final[tuple[Topic, ...]] = (
    auth.TENANTS,
    auth.USERS,
    auth.INVITATIONS,
    auth.TOKENS,
    auth.ACCESS,
    tracking.EXPERIMENTS,
    tracking.RUNS,
    tracking.LOGGED_MODELS,
    registry.REGISTERED_MODELS,
    registry.MODEL_VERSIONS,
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
