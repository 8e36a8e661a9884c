"""Counts what a tenant stores; the caller commits."""

from typing import Final

from libs.common.database import Connection

_COUNT: Final = """
INSERT INTO artifact_usage AS a (tenant_no, part, bytes) VALUES ($1, pg_backend_pid() % 64, $2)
ON CONFLICT (tenant_no, part) DO UPDATE SET bytes = a.bytes + excluded.bytes
"""


async def count_bytes(connection: Connection, tenant_no: int, more: int) -> None:
    """So many bytes more, or below 0 fewer, are stored."""
    await connection.execute(_COUNT, tenant_no, more)
