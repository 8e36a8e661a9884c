"""The shelf and the mirror while they run together, and what a test wants to know of them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import msgspec

from libs.common.service import Running
from tests.service.common.shelf import MIRROR, SHELF, Ears, environment_of
from tests.serving import Client, new_tenant, prepared, served
from tests.signing import Tenant

Copy = tuple[str, int]


@dataclass(frozen=True)
class Effect:
    """One line of the mirror's diary: a fact that had an effect."""

    thing: str
    word: str
    version: int
    event_id: UUID


class Mirror:
    """Questions to a mirror's read model."""

    def __init__(self, running: Running) -> None:
        self.running = running

    @property
    def ears(self) -> Ears:
        """What this replica heard by broadcast."""
        found: Ears = self.running.state
        return found

    async def copies(self, tenant: Tenant) -> dict[str, Copy]:
        """Word and version by thing."""
        async with self.running.database.reading(tenant.number) as connection:
            rows = await connection.fetch("SELECT thing, word, version FROM copies")
        return {row["thing"]: (row["word"], row["version"]) for row in rows}

    async def effects(self, tenant: Tenant) -> list[Effect]:
        """What had an effect, in the order in which it had."""
        async with self.running.database.reading(tenant.number) as connection:
            rows = await connection.fetch(
                "SELECT thing, word, version, event_id FROM effects ORDER BY line"
            )
        return [Effect(**row) for row in rows]

    async def empty(self, tenant: Tenant) -> None:
        """Forget the tenant's read model, as an operator who rebuilds it would."""
        async with self.running.database.transaction(tenant.number) as connection:
            await connection.execute("DELETE FROM copies")
            await connection.execute("DELETE FROM effects")


@dataclass
class Pair:
    """Both services, and a client of the shelf as a fresh tenant."""

    shelf: Client
    mirror: Mirror
    environment: dict[str, str]

    @property
    def tenant(self) -> Tenant:
        """The client's tenant."""
        return self.shelf.tenant

    def fresh(self) -> "Pair":
        """The same services for a tenant that no other test uses."""
        return Pair(self.shelf.of(new_tenant()), self.mirror, self.environment)

    async def put(self, thing: str, word: str) -> int:
        """Put a thing; its version. The answer must be a success."""
        reply = await self.shelf.ask("POST", "/things", {"thing": thing, "word": word})
        assert reply.status == 200, reply.body
        version: int = msgspec.json.decode(reply.body)["version"]
        return version

    async def put_many(self, words: Mapping[str, list[str]]) -> None:
        """Put things at once, the words of each in their order."""

        async def one(thing: str) -> None:
            for word in words[thing]:
                await self.put(thing, word)

        await asyncio.gather(*(one(thing) for thing in words))


@asynccontextmanager
async def running_pair(platform: Mapping[str, str], instance: str = "one") -> AsyncIterator[Pair]:
    """The shelf and the mirror, prepared and running on a platform."""
    env = environment_of(platform, instance)
    await prepared([SHELF, MIRROR], env)
    async with AsyncExitStack() as stack:
        shelf = await stack.enter_async_context(served(SHELF, env))
        mirror = await stack.enter_async_context(served(MIRROR, env))
        yield Pair(shelf, Mirror(mirror.running), env)
