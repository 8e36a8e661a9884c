"""What is archived and when, what then lies where, and what is removed."""

import json

from services.tracking.commands.collecting import collect
from services.tracking.commands.contents import free_contents
from services.tracking.queries.usage import usage_of
from services.tracking.state import state_of
from tests.service.tracking.archiving import (
    LINE,
    archived,
    count,
    ended,
    frozen,
    frozen_again,
    is_stored,
    keys_of_files,
    old_run,
    table_of,
)
from tests.service.tracking.collecting import collected, scope_of, would_go
from tests.service.tracking.making import latest, new_experiment, new_run, points_of
from tests.service.tracking.owners import new_model
from tests.service.tracking.packing import Point, log, of_model, sampled
from tests.service.tracking.people import allow, person
from tests.service.tracking.test_forks import fork
from tests.serving import Client, new_tenant

HISTORY = "/api/2.0/mlflow/metrics/get-history"


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
