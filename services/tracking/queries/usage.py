"""How much a tenant has used, and of which plan."""

from typing import Final

from libs.common.database import Connection
from services.tracking.model.usage import Usage

_USAGE: Final = """
SELECT coalesce((SELECT p.plan FROM tenant_plans p WHERE p.tenant_no = $1), '') AS plan,
       coalesce((SELECT sum(r.runs) FROM run_usage r
                 WHERE r.tenant_no = $1 AND r.day = (now() AT TIME ZONE 'UTC')::date), 0)::int8
           AS runs,
       coalesce((SELECT sum(a.bytes) FROM artifact_usage a WHERE a.tenant_no = $1), 0)::int8
           AS stored
"""


async def usage_of(connection: Connection, tenant_no: int) -> Usage:
    """A tenant's usage as committed."""
    row = await connection.fetchrow(_USAGE, tenant_no)
    assert row is not None
    return Usage(**dict(row))
