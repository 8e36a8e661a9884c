"""auth on one page: what it serves, tells, hears and owns."""

from pathlib import Path
from typing import Final

from libs.common.access.hearing import ACCESS_CHANGES
from libs.common.contracts.auth import (
    ACCESS,
    GRANTS,
    HEARTBEAT,
    INVITATIONS,
    ROLES,
    TENANTS,
    TOKENS,
    USERS,
    WORKSPACES,
)
from libs.common.service import Service
from libs.common.tenants import KNOWN_TENANTS
from services.auth.api import api
from services.auth.commands.first_start import replace_first_token
from services.auth.consumers import AUDIT, WORKSPACES_CLEARED
from services.auth.queries.access import asks_itself
from services.auth.settings import Settings
from services.auth.snapshots import SNAPSHOTS
from services.auth.state import opens
from services.auth.workers import beat, forget_old_revocations, replace_old_keys

SERVICE: Final = Service(
    name="auth",
    settings=Settings,
    api=api,
    publishes=(TENANTS, USERS, INVITATIONS, TOKENS, ROLES, GRANTS, ACCESS, WORKSPACES, HEARTBEAT),
    subscriptions=(KNOWN_TENANTS, AUDIT, ACCESS_CHANGES, WORKSPACES_CLEARED),
    workers=(replace_old_keys, beat, forget_old_revocations),
    migrations=Path(__file__).with_name("migrations"),
    tables={
        "tenants": "platform: gives tenants their numbers, and is read before a tenant is known",
        "users": "platform: a person may be a member of several tenants",
        "memberships": "tenant",
        "invitations": "tenant",
        "tokens": "tenant",
        "roles": "tenant",
        "grants": "tenant",
        "workspaces": "tenant",
        "credentials": "lookup: a presented secret's digest is all that is known of its tenant",
        "invitation_codes": "lookup: who accepts an invitation shows its code and nothing else",
        "operators": "lookup: the platform's operator is a member of no tenant",
        "member_tenants": "lookup: a person's login is all that is known of their tenants",
        "signing_keys": "platform: one set of keys signs the principals of all tenants",
        "revocations": "platform: what ended in all tenants, for gateways that may have missed it",
        "heartbeat": "platform: one row, no tenant data",
        "audit_events": "tenant",
    },
    peers=("tracking", "registry"),
    snapshots=SNAPSHOTS,
    opens=opens,
    asks=asks_itself,
    steps={"first-token": replace_first_token},
)
