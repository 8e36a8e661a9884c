"""A schema of its own for a test that alters tables, migrations or rights."""

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from libs.common.database.migrations import migrate
from libs.embedded.environment import as_user

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_names = (f"scratch_{a}{b}" for a, b in itertools.product(_LETTERS, _LETTERS))


@dataclass(frozen=True)
class Scratch:
    """A schema, its administrator's connection, and the folder of its migrations."""

    name: str
    admin_url: str
    admin: asyncpg.Connection
    folder: Path

    def url(self, role: str) -> str:
        """The URL of one of its login roles."""
        return as_user(self.admin_url, f"{self.name}_{role}", f"password-of-{role}")

    async def migrate(self, connection: asyncpg.Connection | None = None) -> list[str]:
        """Bring it up to date from its folder."""
        passwords = {f"{self.name}_{role}": f"password-of-{role}" for role in ("app", "relay")}
        return await migrate(connection or self.admin, self.name, self.folder, passwords)

    def write(self, name: str, sql: str) -> None:
        """Put a migration into its folder."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_text(sql)

    @asynccontextmanager
    async def connected(self, role: str) -> AsyncIterator[asyncpg.Connection]:
        """A connection of `app` or `relay`, or of `owner` through the administrator."""
        url = self.admin_url if role == "owner" else self.url(role)
        connection = await asyncpg.connect(url, server_settings={"search_path": self.name})
        try:
            if role == "owner":
                await connection.execute(f"SET ROLE {self.name}_owner")
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def scratch(platform: Mapping[str, str], folder: Path) -> AsyncIterator[Scratch]:
    """A schema that no other test uses, not migrated yet; it stays behind, empty of meaning."""
    url = platform["MAESTRO_POSTGRES_URL"]
    admin = await asyncpg.connect(url)
    try:
        yield Scratch(next(_names), url, admin, folder / "migrations")
    finally:
        await admin.close()
