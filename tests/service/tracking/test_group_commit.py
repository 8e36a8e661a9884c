"""Writes of many requests in one transaction: each is answered for itself, and none is lost."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec
import pytest

from libs.common.contracts.tracking import POINTS_KEY, RUN_METRICS, MetricsLogged
from services.tracking.commands.telemetry import MOST_BYTES
from services.tracking.queries.usage import usage_of
from services.tracking.store import sections
from tests.service.tracking.making import data_of, latest, new_experiment, new_run, points_of
from tests.serving import Client, new_tenant
from tests.waiting import eventually

LOG = "/api/2.0/mlflow/runs/log-batch"


def batch(run_id: str, step: int, **more: Any) -> dict[str, Any]:
    """A batch of one point, and what else is given."""
    point = {"key": "m", "value": step / 2, "timestamp": 1, "step": step}
    return {"run_id": run_id, "metrics": [point], **more}


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many writes each flush had, from now on."""
    sizes: list[int] = []
    log = sections.log

    async def noted(*words: Any) -> Any:
        sizes.append(sum(len(section.run_ids) for section in words[1]))
        return await log(*words)

    monkeypatch.setattr("services.tracking.commands.flushing.log", noted)
    return sizes


async def told(env: Mapping[str, str], client: Client) -> list[MetricsLogged]:
    """The facts about a tenant's points, each of which fits a message."""
    connection = await asyncpg.connect(env["TRACKING_RELAY_DATABASE_URL"])
    try:
        rows = await connection.fetch(
            "SELECT key, payload FROM tracking.outbox WHERE tenant_no = $1 AND topic = $2"
            " ORDER BY seq",
            *(client.tenant.number, RUN_METRICS.name),
        )
    finally:
        await connection.close()
    assert {row["key"] for row in rows} <= {POINTS_KEY}
    assert all(len(row["payload"].encode()) <= MOST_BYTES for row in rows)
    return [msgspec.json.decode(row["payload"], type=MetricsLogged) for row in rows]


def points_told(facts: list[MetricsLogged]) -> Counter[str]:
    """How many points facts tell of, by run."""
    count: Counter[str] = Counter()
    for fact in facts:
        for part in fact.runs:
            count[part.run_id] += part.points
    return count


async def test_conflicts_are_answered_alone_and_all_others_are_stored(
    client: Client, flushed: list[int], platform_environment: Mapping[str, str]
) -> None:
    runs = [await new_run(client) for _ in range(60)]
    deleted, decided, foreign = await new_run(client), await new_run(client), new_tenant()
    await client.post("runs/delete", {"run_id": deleted})
    await client.post("runs/log-parameter", {"run_id": decided, "key": "p", "value": "old"})
    theirs = await new_run(client.of(foreign))
    asked = [batch(run_id, 1, tags=[{"key": "t", "value": run_id}]) for run_id in runs]
    asked[20:20] = [
        batch(deleted, 1),
        batch(decided, 1, params=[{"key": "p", "value": "new"}, {"key": "q", "value": "1"}]),
        batch(theirs, 1),
    ]
    flushed.clear()
    replies = await asyncio.gather(*(client.ask("POST", LOG, body) for body in asked))

    assert max(flushed) > 30
    assert [reply.status for reply in replies[20:23]] == [400, 400, 404]
    assert [n for n, reply in enumerate(replies) if reply.status != 200] == [20, 21, 22]
    for run_id in runs:
        assert (await latest(client, run_id, "m"))["value"] == 0.5
        assert {"key": "t", "value": run_id} in (await data_of(client, run_id))["tags"]
    kept = await data_of(client, decided)
    assert kept["params"] == [{"key": "p", "value": "old"}]
    assert "metrics" not in kept
    assert "metrics" not in await data_of(client.of(foreign), theirs)
    facts = await told(platform_environment, client)
    assert points_told(facts) == dict.fromkeys(runs, 1)
    # One a flush.
    assert len(facts) <= len(flushed)
    assert await told(platform_environment, client.of(foreign)) == []


async def test_where_all_are_refused_nothing_is_told(
    client: Client, flushed: list[int], platform_environment: Mapping[str, str]
) -> None:
    deleted = [await new_run(client) for _ in range(8)]
    for run_id in deleted:
        await client.post("runs/delete", {"run_id": run_id})
    flushed.clear()
    replies = await asyncio.gather(*(client.ask("POST", LOG, batch(run, 1)) for run in deleted))
    assert {reply.status for reply in replies} == {400}
    assert max(flushed) > 1
    assert await told(platform_environment, client) == []


async def test_very_many_long_keys_are_told_in_several_facts(
    client: Client, platform_environment: Mapping[str, str]
) -> None:
    run_id, deleted = await new_run(client), await new_run(client)
    await client.post("runs/delete", {"run_id": deleted})
    keys = ["語" * 240 + f"{number:03}" for number in range(700)]
    points = [{"key": key, "value": 1, "timestamp": 1, "step": 1} for key in keys]
    replies = await asyncio.gather(
        *(
            client.ask("POST", LOG, {"run_id": each, "metrics": points})
            for each in (deleted, run_id, deleted)
        )
    )
    assert [reply.status for reply in replies] == [400, 200, 400]
    facts = await told(platform_environment, client)
    assert len(facts) > 1
    assert points_told(facts) == {run_id: len(keys)}
    assert [key for fact in facts for part in fact.runs for key in part.steps] == keys


async def test_many_tenants_in_one_flush_see_and_change_their_own_alone(
    client: Client, flushed: list[int], platform_environment: Mapping[str, str]
) -> None:
    tenants = [client.of(new_tenant()) for _ in range(12)]
    runs = [await new_run(tenant) for tenant in tenants]
    flushed.clear()
    # Each also tries the run of its neighbour.
    replies = await asyncio.gather(
        *(
            tenant.ask("POST", LOG, batch(run_id, number))
            for number, tenant in enumerate(tenants)
            for run_id in (runs[number], runs[number - 1])
        )
    )
    assert max(flushed) > 6
    assert [reply.status for reply in replies] == [200, 404] * len(tenants)
    for number, (tenant, run_id) in enumerate(zip(tenants, runs, strict=True)):
        assert [step for *_, step in await points_of(tenant, run_id, "m")] == [number]
        (fact,) = await told(platform_environment, tenant)
        (part,) = fact.runs
        assert (part.run_id, part.values) == (run_id, [("m", number / 2, 1, number)])


async def test_one_run_of_many_writers_has_every_point_and_its_facts_tell_of_all(
    client: Client, flushed: list[int], platform_environment: Mapping[str, str]
) -> None:
    run_id = await new_run(client)
    flushed.clear()
    bodies = [{"run_id": run_id, **batch(run_id, step)["metrics"][0]} for step in range(80)]
    await asyncio.gather(*(client.post("runs/log-metric", body) for body in bodies))
    assert [step for *_, step in await points_of(client, run_id, "m")] == list(range(80))
    assert (await latest(client, run_id, "m"))["step"] == 79
    # They are one write in a flush, told in one part.
    assert max(flushed) == 1
    facts = await told(platform_environment, client)
    assert points_told(facts) == {run_id: 80}
    assert len(facts) <= len(flushed)


async def test_of_two_values_for_one_param_at_once_one_is_kept(client: Client) -> None:
    for _ in range(5):
        run_id = await new_run(client)
        values = [str(number) for number in range(8)]
        replies = await asyncio.gather(
            *(
                client.ask(
                    "POST",
                    "/api/2.0/mlflow/runs/log-parameter",
                    {"run_id": run_id, "key": "p", "value": value},
                )
                for value in values
            )
        )
        taken = [v for v, reply in zip(values, replies, strict=True) if reply.status == 200]
        assert len(taken) == 1
        assert (await data_of(client, run_id))["params"] == [{"key": "p", "value": taken[0]}]


async def test_a_lock_in_one_tenant_holds_up_no_other(client: Client) -> None:
    held, others = await new_run(client), [client.of(new_tenant()) for _ in range(5)]
    runs = [await new_run(other) for other in others]
    params = [{"key": "p", "value": "1"}]
    async with client.running.database.transaction(client.tenant.number) as connection:
        await connection.execute(
            "SELECT FROM runs WHERE tenant_no = $1 FOR UPDATE", client.tenant.number
        )
        waits = asyncio.create_task(client.ask("POST", LOG, batch(held, 1, params=params)))
        for step in range(2):
            await asyncio.gather(
                *(
                    other.post("runs/log-batch", batch(run_id, step, params=params))
                    for other, run_id in zip(others, runs, strict=True)
                )
            )
        # It waits for 5 s.
        assert not waits.done()
    assert (await waits).status == 200
    assert len(await points_of(client, held, "m")) == 1


async def test_what_waits_too_long_for_a_lock_is_told_to_come_again(client: Client) -> None:
    run_id = await new_run(client)
    body = batch(run_id, 1, params=[{"key": "p", "value": "1"}])
    async with client.running.database.transaction(client.tenant.number) as connection:
        await connection.execute(
            "SELECT FROM runs WHERE tenant_no = $1 FOR UPDATE", client.tenant.number
        )
        refused = await client.ask("POST", LOG, body)
        assert refused.status == 503
        assert refused.headers["retry-after"] == "1"
    await client.post("runs/log-batch", body)
    assert len(await points_of(client, run_id, "m")) == 1


async def test_runs_made_at_once_are_all_there_and_counted(client: Client) -> None:
    experiment_id = await new_experiment(client, "crowd")
    gone = await new_experiment(client, "gone")
    await client.post("experiments/delete", {"experiment_id": gone})
    asked = [(experiment_id, n) for n in range(40)] + [(gone, 1), ("777777", 1)]
    replies = await asyncio.gather(
        *(
            client.ask(
                "POST",
                "/api/2.0/mlflow/runs/create",
                {"experiment_id": where, "start_time": n, "run_name": f"run {n}"},
            )
            for where, n in asked
        )
    )
    assert [reply.status for reply in replies] == [200] * 40 + [400, 404]
    found = await client.post("runs/search", {"experiment_ids": [experiment_id]})
    assert {run["info"]["run_name"] for run in found["runs"]} == {f"run {n}" for n in range(40)}
    made = {msgspec.json.decode(reply.body)["run"]["info"]["run_id"] for reply in replies[:40]}
    assert {run["info"]["run_id"] for run in found["runs"]} == made

    async def counted() -> int:
        number = client.tenant.number
        async with client.running.database.reading(number) as connection:
            return (await usage_of(connection, number)).runs

    assert await eventually(counted) == 40
