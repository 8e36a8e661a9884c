"""PostgreSQL for a service: pool, tenant transactions, migrations, roles, and the catalogue."""

from libs.common.database.pool import Connection, Database

__all__ = ["Connection", "Database"]
