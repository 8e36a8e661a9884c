"""What is archived, when and whose; what is removed; and what becomes of it when something fails."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from libs.common.errors import unavailable
from services.tracking.artifacts.objects import ArtifactStore, Found
from services.tracking.commands import archiving as commands
from services.tracking.commands.collecting import collect
from services.tracking.commands.contents import free_contents
from services.tracking.queries.usage import usage_of
from services.tracking.state import state_of
from tests.service.tracking.archiving import (
    archived,
    count,
    ended,
    frozen,
    frozen_again,
    is_stored,
    keys_of_files,
    table_of,
)
from tests.service.tracking.collecting import collected, scope_of, would_go
from tests.service.tracking.making import latest, new_experiment, new_run, points_of
from tests.service.tracking.owners import new_model
from tests.service.tracking.packing import Point, line_of, log, of_model, sampled
from tests.service.tracking.people import allow, person
from tests.service.tracking.test_forks import fork
from tests.serving import Client, new_tenant

LINE = line_of(0, 100, 1, 0, 3, 0.1)
HISTORY = "/api/2.0/mlflow/metrics/get-history"


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


@pytest.fixture
def store(client: Client, monkeypatch: pytest.MonkeyPatch) -> Store:
    state = state_of(client.running)
    made = Store(state.artifacts)
    monkeypatch.setattr(state, "artifacts", made)
    return made


async def test_a_rule_says_which_runs_are_archived(client: Client) -> None:
    ruled, never = await new_experiment(client), await new_experiment(client)
    path = "/api/maestro/v1/experiments/{}/retention"
    for experiment, days in ((ruled, 3), (never, 0)):
        body = {"deleted_days": 30, "archive_days": days}
        reply = await client.ask("PUT", path.format(experiment), body)
        assert json.loads(reply.body)["archive_days"] == days
    for experiment in (ruled, never, "0"):
        await old_run(client, experiment)
    # Neither those that go on, nor those that ended just now, were deleted, or say something new.
    going, late, deleted, told = [await old_run(client, ruled) for _ in range(4)]
    await client.post("runs/update", {"run_id": going, "status": "RUNNING"})
    await log(client, await new_run(client, ruled), LINE, None)
    await client.post("runs/update", {"run_id": late, "status": "FINISHED", "end_time": 2**50})
    await client.post("runs/delete", {"run_id": deleted})
    now = await milliseconds(client)
    await log(client, told, [(1, now - 60_000, 1000)], None)
    assert await archived(client, days=0, least=101) == 0
    assert await archived(client, days=0, least=100) == 1
    assert await archived(client, days=0) == 0
    # Without a rule the platform's days count; a point from the future does not.
    assert await archived(client, days=2) == 1
    await client.ask("DELETE", path.format(never))
    reply = await client.ask("GET", path.format(never))
    assert json.loads(reply.body)["archive_days"] == 0
    assert await archived(client, days=2) == 1


async def milliseconds(client: Client) -> int:
    async with client.running.database.reading() as connection:
        return int(await connection.fetchval("SELECT extract(epoch FROM now()) * 1000"))


async def test_any_reader_of_parquet_sees_what_was_logged(client: Client) -> None:
    run_id, model_id = await new_run(client), await new_model(client)
    await log(client, run_id, [*LINE, *LINE], None)
    await log(client, run_id, [(float("nan"), 5, 2**62)], model_id)
    metric = {"key": "acc", "value": 0.5, "timestamp": 7, "step": 0}
    context = {"dataset_name": "mnist", "dataset_digest": "1f"}
    await client.post("runs/log-batch", {"run_id": run_id, "metrics": [{**metric, **context}]})
    run_id = await ended(client, run_id)
    before = await points_of(client, run_id, "m")
    assert await archived(client) == 1
    (key,) = await keys_of_files(client)
    assert key.startswith(f"t/{client.tenant.id}/")
    rows = (await table_of(client, key)).to_pylist()
    assert list(rows[0].values()) == ["acc", 0, 7, 0.5, None, "mnist", "1f"]
    lines = [(row["value"], row["time"], row["step"]) for row in rows if row["key"] == "m"]
    assert lines[:-1] == LINE
    assert [rows[-1][name] for name in ("step", "time", "model_id")] == [2**62, 5, model_id]
    assert rows[-1]["value"] != rows[-1]["value"]  # not-a-number
    # What is of a model or a dataset stays where searches find it.
    assert await of_model(client, model_id) == {("NaN", 5, 2**62)}
    assert await points_of(client, run_id, "m") == before


async def test_new_points_lie_beside_and_one_day_come_into_a_new_file(client: Client) -> None:
    run_id = await old_run(client)
    await archived(client)
    (first,) = await keys_of_files(client)
    more = [(0.5, time, 200 + time) for time in range(1000, 1020)]
    await log(client, run_id, more, None)
    assert await points_of(client, run_id, "m") == LINE + more
    await frozen_again(client)
    # It stays thawed: there is more in the tables than the file has.
    assert (await frozen(client), await archived(client, least=21)) == (0, 0)
    assert await archived(client, least=20) == 1
    (second,) = await keys_of_files(client)
    assert (await table_of(client, second)).num_rows == 120
    assert await points_of(client, run_id, "m") == LINE + more
    await free_contents(client.running, 0)
    assert [await is_stored(client, key) for key in (first, second)] == [False, True]


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


async def test_who_reads_at_once_waits_for_one_thaw(client: Client, store: Store) -> None:
    run_id = await old_run(client)
    await archived(client)
    store.found = 0
    told = await asyncio.gather(*(points_of(client, run_id, "m") for _ in range(6)))
    assert told == [LINE] * 6
    assert store.found < 6
    assert await count(client, "metric_segments") == 1


async def test_other_tenants_and_who_may_not_read_bring_nothing_back(client: Client) -> None:
    run_id = await old_run(client)
    await archived(client)
    other = client.of(new_tenant())
    elsewhere = client.of(client.tenant)
    elsewhere.claims = {"workspace_id": 7}
    logger = person(client, "", allow("*", "run.log"))
    for each in (other, elsewhere, logger):
        for path, query in (
            (HISTORY, f"run_id={run_id}&metric_key=m"),
            (HISTORY + "-bulk-interval", f"run_ids={run_id}&metric_key=m&max_results=5"),
        ):
            reply = await each.ask("GET", path, query=query)
            assert reply.status == 403 or json.loads(reply.body).get("metrics", []) == []
    assert await frozen(client) == 1
    async with client.running.database.reading(other.tenant.number) as connection:
        for table in ("archived_points", "archived_metrics"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_forks_show_what_is_archived_until_the_last_of_them_goes(
    client: Client, registry: Client
) -> None:
    source = await old_run(client)
    await archived(client)
    (key,) = await keys_of_files(client)
    child = (await fork(client, source, step=40))["run_id"]
    # What was latest at step 40 had to be looked for among the archived points.
    assert (await latest(client, child, "m"))["step"] == 40
    await frozen_again(client)
    assert await frozen(client) == 1
    expected = [point for point in LINE if point[2] <= 40]
    assert await points_of(client, child, "m") == expected
    await frozen_again(client)
    assert await sampled(client, child, 0, 39, 100) == expected[:-1]
    await frozen_again(client)
    await client.post("runs/delete", {"run_id": source})
    await collected(client)
    assert await points_of(client, child, "m") == expected
    await frozen_again(client)
    await client.post("runs/delete", {"run_id": child})
    assert (await collected(client))["points"] == len(LINE)
    assert await count(client, "archived_points") == 0
    await free_contents(client.running, 0)
    assert not await is_stored(client, key)


async def test_a_removed_run_takes_its_file_with_it_and_the_bytes_are_counted(
    client: Client, registry: Client
) -> None:
    run_id = await old_run(client)
    before = await used(client)
    await archived(client)
    (key,) = await keys_of_files(client)
    found = await state_of(client.running).artifacts.find(key)
    assert found is not None
    assert await used(client) == before + found.size
    await client.post("runs/delete", {"run_id": run_id})
    assert (await would_go(client))["points"] == len(LINE)
    assert (await collected(client))["points"] == len(LINE)
    await collect(client.running, scope_of(client))
    assert await used(client) == before
    await free_contents(client.running, 0)
    assert not await is_stored(client, key)


async def used(client: Client) -> int:
    async with client.running.database.reading(client.tenant.number) as connection:
        return (await usage_of(connection, client.tenant.number)).stored


async def test_of_a_large_run_each_metric_comes_back_by_itself(client: Client) -> None:
    """Small metrics share row groups, large ones have several."""
    run_id = await new_run(client)
    number = client.tenant.number
    async with client.running.database.transaction(number) as connection:
        for key, points in (("a", 3000), ("b", 3000), ("c", 70_000), ("d", 10)):
            await connection.execute(
                "SELECT store_points($1, array_agg(r.run_no), array_agg(k.key_no[1]),"
                " array_agg(n::int8), array_agg(n::int8), array_agg(n / 3::float8),"
                " array_agg(NULL::int4)) FROM runs r, numbers_of_keys($1, ARRAY[$3]) AS k (key_no),"
                " generate_series(1, $4::int4) n WHERE r.tenant_no = $1 AND r.run_id = $2::uuid",
                *(number, run_id, key, points),
            )
    run_id = await ended(client, run_id)
    assert await archived(client) == 1
    for key, points in (("d", 10), ("b", 3000), ("a", 3000), ("c", 70_000)):
        expected: list[Point] = [(n / 3, n, n) for n in range(1, points + 1)]
        assert await points_of(client, run_id, key) == expected
