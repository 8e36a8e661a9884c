"""A tenant that floods, sends nonsense and holds locks: others' writes are taken, and soon."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.service.tracking.making import new_run, points_of
from tests.service.tracking.test_group_commit import LOG, batch
from tests.serving import Client, new_tenant
from tests.waiting import eventually

RUNS = 4
CALM_WRITES = 60
# A tenth of what a lock is waited for; alone it takes some milliseconds.
SLOWEST_SECONDS = 2.0
PARAMS = [{"key": "p", "value": "1"}]


async def write_calmly(client: Client, run_id: str, steps: range) -> float:
    """A write after the other, all of which must be taken; how long the slowest took."""
    slowest = 0.0
    for step in steps:
        begun = time.monotonic()
        await client.post("runs/log-batch", batch(run_id, step))
        slowest = max(slowest, time.monotonic() - begun)
    return slowest


@asynccontextmanager
async def locked(client: Client) -> AsyncIterator[None]:
    """All runs of a tenant are locked inside."""
    async with client.running.database.transaction(client.tenant.number) as connection:
        await connection.execute(
            "SELECT FROM runs WHERE tenant_no = $1 FOR UPDATE", client.tenant.number
        )
        yield


class Misbehaving:
    """One tenant's clients, none of whom waits for anything, and what they were answered."""

    def __init__(self, client: Client, runs: list[str]) -> None:
        self.client = client
        self.runs = itertools.cycle(runs)
        self.numbers = itertools.count()
        self.answers: Counter[tuple[str, int]] = Counter()
        self.stored: Counter[str] = Counter()

    async def huge(self) -> None:
        """A batch as large as one may be."""
        run_id, first = next(self.runs), 1_000 * next(self.numbers)
        points = [
            {"key": "huge", "value": step, "timestamp": 1, "step": first + step}
            for step in range(1_000)
        ]
        if await self._ask("huge", {"run_id": run_id, "metrics": points}) == 200:
            self.stored[run_id] += 1_000

    async def bad(self) -> None:
        """A param that would change, a key that is none, a run that is not there."""
        kind = next(self.numbers) % 3
        run_id = next(self.runs) if kind < 2 else "0" * 32
        wrong: dict[str, Any] = {"params": [{"key": "p", "value": "2"}]}
        if kind == 1:
            wrong = {"metrics": [{"key": "k" * 300, "value": 1, "timestamp": 1}]}
        await self._ask("bad", {**batch(run_id, 0), **wrong})

    async def waits(self) -> None:
        """What has to wait for the lock."""
        await self._ask("waits", batch(next(self.runs), 0, params=PARAMS))

    async def locks(self) -> None:
        """Hold what all of them write."""
        async with locked(self.client):
            await asyncio.sleep(0.5)
        await asyncio.sleep(0.05)

    async def _ask(self, what: str, body: Any) -> int:
        reply = await self.client.ask("POST", LOG, body)
        self.answers[what, reply.status] += 1
        return reply.status


@asynccontextmanager
async def misbehaving(found: Misbehaving) -> AsyncIterator[None]:
    """They go on while inside, and end with what they have begun."""
    over = False

    async def go_on(one: Callable[[], Awaitable[None]]) -> None:
        while not over:
            await one()

    crowd = [found.huge] * 6 + [found.bad] * 12 + [found.waits] * 12 + [found.locks]
    tasks = [asyncio.create_task(go_on(one)) for one in crowd]
    try:
        yield
    finally:
        over = True
        await asyncio.gather(*tasks)


async def test_a_tenant_that_misbehaves_in_every_way_holds_up_no_other(client: Client) -> None:
    runs = [await new_run(client) for _ in range(RUNS)]
    for run_id in runs:
        await client.post("runs/log-batch", {"run_id": run_id, "params": PARAMS})
    calm = client.of(new_tenant())
    run_id = await new_run(calm)
    found = Misbehaving(client, runs)
    async with misbehaving(found):
        await eventually(lambda: found.answers["bad", 400] > 10, within=30)
        slowest = await write_calmly(calm, run_id, range(CALM_WRITES))
    assert slowest < SLOWEST_SECONDS
    assert len(await points_of(calm, run_id, "m")) == CALM_WRITES
    assert {status for _, status in found.answers} <= {200, 400, 404, 503}
    assert not found.answers["bad", 200]
    # Nor does it lose what it was told is stored.
    assert found.stored
    for run_id, count in found.stored.items():
        assert len(await points_of(client, run_id, "huge")) == count


async def test_a_lock_that_one_tenant_alone_waits_for_holds_up_no_other(client: Client) -> None:
    calm = client.of(new_tenant())
    held, run_id = await new_run(client), await new_run(calm)
    async with locked(client):
        waits = [
            asyncio.create_task(client.ask("POST", LOG, batch(held, step, params=PARAMS)))
            for step in range(2)
        ]

        async def flushed() -> bool:
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            return bool(await calm.running.database.fetchval(waiting))

        await eventually(flushed)  # with nobody else's
        assert await write_calmly(calm, run_id, range(10)) < SLOWEST_SECONDS
        assert not [task for task in waits if task.done()]
    assert [(await task).status for task in waits] == [200, 200]
