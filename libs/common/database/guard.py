"""What a service checks before it serves: its role owns nothing, and its schema is up to date."""

from pathlib import Path

import asyncpg

from libs.common.database.migrations import pending


class RoleRefused(Exception):
    """The service was given a role that could get around the tenants' policies."""


class SchemaBehind(Exception):
    """The schema lacks migrations; the message names the command that applies them."""


async def check(url: str, schema: str, folder: Path) -> None:
    """Raise RoleRefused or SchemaBehind where serving on `url` would not be safe."""
    connection = await asyncpg.connect(url, timeout=5, server_settings={"search_path": schema})
    try:
        row = await connection.fetchrow(
            """
            SELECT rolname, rolsuper OR rolbypassrls AS bypasses,
                   EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                           WHERE n.nspname = $1 AND pg_has_role(r.oid, c.relowner, 'USAGE')) AS owns
            FROM pg_roles r WHERE rolname = current_user
            """,
            schema,
        )
        if row is None or row["bypasses"] or row["owns"]:
            raise RoleRefused(
                f"The role of this URL owns tables of {schema} or bypasses row level security: give "
                f"the service the role {schema}_app."
            )
        behind = await pending(connection, folder)
        if behind:
            raise SchemaBehind(
                f"{schema} lacks {', '.join(behind)}: run python -m services migrate"
            )
    finally:
        await connection.close()
