"""auth on one page: what it serves, tells, hears and owns."""

from pathlib import Path
from typing import Final

from libs.common.access.hearing import ACCESS_CHANGES
from libs.common.contracts.auth import ACCESS, TENANTS, TOKENS, USERS
from libs.common.service import Service
from libs.common.tenants import KNOWN_TENANTS
from services.auth.api import api
from services.auth.commands.first_start import replace_first_token
from services.auth.consumers import AUDIT
from services.auth.queries.access import asks_itself
from services.auth.settings import Settings
from services.auth.snapshots import SNAPSHOTS
from services.auth.state import opens
from services.auth.workers import replace_old_keys

SERVICE: Final = Service(
    name="auth",
    settings=Settings,
    api=api,
    publishes=(TENANTS, USERS, TOKENS, ACCESS),
    subscriptions=(KNOWN_TENANTS, AUDIT, ACCESS_CHANGES),
    workers=(replace_old_keys,),
    migrations=Path(__file__).with_name("migrations"),
    tables={
        "tenants": "platform: gives tenants their numbers, and is read before a tenant is known",
        "users": "platform: a person may be a member of several tenants",
        "memberships": "tenant",
        "tokens": "tenant",
        "roles": "tenant",
        "grants": "tenant",
        "credentials": "lookup: a presented secret's digest is all that is known of its tenant",
        "member_tenants": "lookup: a person's login is all that is known of their tenants",
        "signing_keys": "platform: one set of keys signs the principals of all tenants",
        "audit_events": "tenant",
    },
    snapshots=SNAPSHOTS,
    opens=opens,
    asks=asks_itself,
    steps={"first-token": replace_first_token},
)
