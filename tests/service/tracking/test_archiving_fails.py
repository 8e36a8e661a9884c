"""Archiving and reading what is archived, while something fails or something else happens."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.tracking.commands import archiving as commands
from services.tracking.commands.contents import free_contents
from services.tracking.state import state_of
from tests.service.tracking.archiving import (
    LINE,
    Store,
    archived,
    count,
    frozen,
    is_stored,
    keys_of_files,
    old_run,
)
from tests.service.tracking.making import points_of
from tests.service.tracking.packing import log
from tests.serving import Client

HISTORY = "/api/2.0/mlflow/metrics/get-history"


@pytest.fixture
def store(client: Client, monkeypatch: pytest.MonkeyPatch) -> Store:
    state = state_of(client.running)
    made = Store(state.artifacts)
    monkeypatch.setattr(state, "artifacts", made)
    return made


@pytest.mark.parametrize("touch", ["point", "status", "packing"])
async def test_a_run_that_is_touched_meanwhile_is_left_as_it_is(
    client: Client, store: Store, touch: str
) -> None:
    run_id = await old_run(client)
    expected = list(LINE)

    async def touched() -> None:
        if touch == "point":
            expected.append((1, 1000, 1000))
            await log(client, run_id, expected[-1:], None)
        elif touch == "status":
            await client.post("runs/update", {"run_id": run_id, "status": "RUNNING"})
        else:
            async with client.running.database.transaction(client.tenant.number) as connection:
                await connection.execute(
                    "WITH gone AS (DELETE FROM metric_segments WHERE tenant_no = $1 RETURNING *)"
                    " SELECT pack_points($1, array_agg(s.run_no), array_agg(s.key_no),"
                    " array_agg(step_at(s, n)), array_agg(ts_at(s, n)), array_agg(value_at(s, n)),"
                    " array_agg(NULL::int4), 1)"
                    " FROM metric_segments s, generate_series(1, s.points) n WHERE tenant_no = $1",
                    client.tenant.number,
                )

    store.after_put = touched
    assert await archived(client) == 0
    assert await keys_of_files(client) == []
    assert await points_of(client, run_id, "m") == expected
    store.after_put = None
    await client.post("runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": 1})
    assert await archived(client) == 1
    assert await points_of(client, run_id, "m") == expected


@pytest.mark.parametrize(
    "point",
    ["before-upload", "after-upload", "before-commit", "after-commit"],
)
async def test_a_failure_at_any_point_loses_nothing(
    client: Client, store: Store, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    run_id = await old_run(client)
    written = []

    def failing(name: str) -> None:
        if name == f"archive.{point}":
            raise RuntimeError(name)

    async def note(key: str, chunks: AsyncIterator[bytes], length: int | None) -> None:
        written.append(key)
        await store.real.put(key, chunks, length)

    monkeypatch.setattr(store, "put", note)
    monkeypatch.setattr(commands, "reach", failing)
    with pytest.raises(RuntimeError, match=point):
        await archived(client)
    done = point == "after-commit"
    assert await keys_of_files(client) == (written if done else [])
    await free_contents(client.running, 0)
    assert [await is_stored(client, key) for key in written] == [done] * len(written)
    assert await points_of(client, run_id, "m") == LINE


async def test_a_store_that_is_away_is_told_and_shows_no_part(client: Client, store: Store) -> None:
    run_id = await old_run(client)
    await archived(client)
    await log(client, run_id, [(1, 1000, 1000)], None)
    store.away = True
    for path, query in (
        ("get-history", f"run_id={run_id}&metric_key=m"),
        ("get-history", f"run_id={run_id}&metric_key=m&max_results=3"),
        ("get-history-bulk-interval", f"run_ids={run_id}&metric_key=m&max_results=5"),
    ):
        reply = await client.ask("GET", f"/api/2.0/mlflow/metrics/{path}", query=query)
        assert reply.status == 503
        assert "The artifact store is away" in json.loads(reply.body)["message"]
    query = f"run_id={run_id}&metric_key=m"
    reply = await client.ask("GET", "/ajax-" + HISTORY[1:] + "-bulk", query=query)
    assert reply.status == 503
    assert (await client.get("runs/get", f"run_id={run_id}"))["run"]["data"]["metrics"]
    store.away = False
    assert await points_of(client, run_id, "m") == [*LINE, (1, 1000, 1000)]


@pytest.mark.parametrize("damage", ["lost", "cut", "changed"])
async def test_a_damaged_file_is_refused(client: Client, damage: str) -> None:
    run_id = await old_run(client)
    await archived(client)
    (key,) = await keys_of_files(client)
    artifacts = state_of(client.running).artifacts
    found = await artifacts.find(key)
    assert found is not None
    content = bytearray(b"".join([part async for part in artifacts.read(found, 0, found.size)]))
    await artifacts.delete([key])
    if damage != "lost":
        content[50] ^= 1
        await artifacts.put(key, once(bytes(content[: -1 if damage == "cut" else None])), None)
    reply = await client.ask("GET", HISTORY, query=f"run_id={run_id}&metric_key=m")
    assert reply.status == 503
    assert "lost or damaged" in json.loads(reply.body)["message"]
    assert await frozen(client) == 1


async def once(content: bytes) -> AsyncIterator[bytes]:
    yield content


class Apart(dict[tuple[int, int, int], asyncio.Task[None]]):
    """What comes back, as if each who asks were another process."""

    def get(self, *_: Any) -> Any:
        return None


@pytest.mark.parametrize("processes", ["one", "several"])
async def test_who_reads_at_once_waits_for_one_thaw(
    client: Client, store: Store, monkeypatch: pytest.MonkeyPatch, processes: str
) -> None:
    run_id = await old_run(client)
    await archived(client)
    store.found = 0
    if processes == "several":
        monkeypatch.setattr(state_of(client.running), "thawing", Apart())
    told = await asyncio.gather(*(points_of(client, run_id, "m") for _ in range(6)))
    assert told == [LINE] * 6
    assert processes == "several" or store.found < 6
    assert await count(client, "metric_segments") == 1


async def test_what_a_file_alone_has_is_never_left_out_of_the_next(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await old_run(client)
    await archived(client)
    more = [(0.5, time, 200 + time) for time in range(1000, 1020)]
    await log(client, run_id, more, None)

    async def frozen_meanwhile(*_: object) -> None:
        return

    monkeypatch.setattr(commands, "thaw", frozen_meanwhile)
    assert await archived(client) == 0
    assert await points_of(client, run_id, "m") == LINE + more
