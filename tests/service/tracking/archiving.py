"""Runs that ended long ago, their archiving, and what then lies where."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import uuid4

import msgspec
from pyarrow import parquet

from libs.common.errors import unavailable
from libs.common.events.outbox import Caused
from services.tracking.artifacts.objects import ArtifactStore, Found
from services.tracking.commands.archiving import archive
from services.tracking.state import state_of
from tests.service.tracking.making import new_run
from tests.service.tracking.packing import line_of, log, numbers
from tests.serving import Client

LINE = line_of(0, 100, 1, 0, 3, 0.1)


async def ended(client: Client, run_id: str) -> str:
    """End a run, and have it be years old: it has another id from then on."""
    old = f"0180000000007000{uuid4().hex[16:]}"
    body = {"run_id": run_id, "status": "FINISHED", "end_time": 1}
    await client.post("runs/update", body)
    async with client.running.database.transaction(client.tenant.number) as connection:
        await connection.execute(
            "UPDATE runs SET run_id = $3::uuid WHERE tenant_no = $1 AND run_id = $2::uuid",
            *(client.tenant.number, run_id, old),
        )
    return old


@contextmanager
def archiving(client: Client, *, days: int = 1, least: int = 1) -> Iterator[None]:
    """Have the platform archive by other settings."""
    running = client.running
    before = running.settings
    running.settings = msgspec.structs.replace(before, archive_days=days, archive_points=least)
    try:
        yield
    finally:
        running.settings = before


async def archived(client: Client, *, days: int = 1, least: int = 1) -> int:
    """One pass of the archiver; how many runs it archived."""
    with archiving(client, days=days, least=least):
        return await archive(client.running, acting(client), 60)


def acting(client: Client) -> Caused:
    return Caused(client.tenant.id, client.tenant.number, "test")


async def frozen_again(client: Client) -> None:
    """Let what was thawed have been for long, and one pass of the archiver come."""
    async with client.running.database.transaction(client.tenant.number) as connection:
        await connection.execute(
            "UPDATE archived_metrics SET thawed_at = now() - interval '2 days'"
            " WHERE tenant_no = $1 AND thawed_at IS NOT NULL",
            client.tenant.number,
        )
    await archived(client, days=0)


async def frozen(client: Client) -> int:
    """How many metrics of the tenant lie in files alone."""
    return await count(client, "archived_metrics", "thawed_at IS NULL")


async def count(client: Client, table: str, condition: str = "true") -> int:
    async with client.running.database.reading(client.tenant.number) as connection:
        found: int = await connection.fetchval(
            f"SELECT count(*) FROM {table} WHERE tenant_no = $1 AND {condition}",
            client.tenant.number,
        )
    return found


async def keys_of_files(client: Client) -> list[str]:
    """The objects in which the tenant's archived points lie."""
    async with client.running.database.reading(client.tenant.number) as connection:
        rows = await connection.fetch(
            "SELECT object_key FROM archived_points WHERE tenant_no = $1 ORDER BY run_no",
            client.tenant.number,
        )
    return [row["object_key"] for row in rows]


async def is_stored(client: Client, key: str) -> bool:
    return await state_of(client.running).artifacts.find(key) is not None


async def table_of(client: Client, key: str) -> Any:
    """A file as any reader of Parquet sees it."""
    artifacts = state_of(client.running).artifacts
    found = await artifacts.find(key)
    assert found is not None
    content = b"".join([piece async for piece in artifacts.read(found, 0, found.size)])
    return parquet.read_table(BytesIO(content))


async def run_no(client: Client, run_id: str) -> int:
    return (await numbers(client, run_id))[0]


async def old_run(client: Client, experiment: str = "0") -> str:
    """A run that ended years ago, with `LINE` as its metric `m`."""
    run_id = await new_run(client, experiment)
    await log(client, run_id, LINE, None)
    return await ended(client, run_id)


@dataclass
class Store:
    """A store of artifacts in front of the real one, where things happen."""

    real: ArtifactStore
    after_put: Any = None
    away: bool = False
    signs: bool = False
    found: int = 0

    async def put(self, key: str, chunks: AsyncIterator[bytes], length: int | None) -> None:
        await self.real.put(key, chunks, length)
        if self.after_put is not None:
            await self.after_put()

    async def find(self, key: str) -> Found | None:
        self.found += 1
        if self.away:
            raise unavailable("The artifact store is away; try again.")
        return await self.real.find(key)

    def read(self, found: Found, start: int, end: int) -> AsyncIterator[bytes]:
        return self.real.read(found, start, end)

    async def delete(self, keys: Sequence[str]) -> None:
        await self.real.delete(keys)

    async def signed(self, key: str, seconds: int) -> str:
        return await self.real.signed(key, seconds)
