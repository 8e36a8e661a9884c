"""The tenants a service knows of: a small projection of auth's facts, the same in every service."""

from typing import Final

from libs.common.contracts.auth import TENANTS
from libs.common.events.envelope import Event
from libs.common.events.outbox import UnitOfWork
from libs.common.service import Subscription

_LEARN: Final = """
INSERT INTO known_tenants (tenant_no, tenant, name, status, version)
VALUES ($1, $2::uuid, $3, $4, $5)
ON CONFLICT (tenant_no) DO UPDATE
SET name = excluded.name, status = excluded.status, version = excluded.version
WHERE known_tenants.version < excluded.version
"""


async def _learn(work: UnitOfWork, event: Event) -> None:
    tenant = event.fact.tenant
    await work.connection.execute(
        _LEARN, tenant.tenant_no, tenant.tenant, tenant.name, tenant.status, event.version
    )


# Listed by every service that owns a schema: `republish` walks over these tenants.
KNOWN_TENANTS: Final = Subscription("tenants", (TENANTS,), any_fact=_learn)
