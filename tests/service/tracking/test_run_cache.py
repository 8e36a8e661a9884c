"""What is kept of runs: found again as bytes over two processes, never out of date, nobody else's."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import UUID

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.tracking.kept.memory import Shown
from services.tracking.queries import runs as queries
from tests.service.tracking.making import new_experiment, new_run
from tests.service.tracking.people import allow, person
from tests.service.tracking.replicas import (
    Replicas,
    counts,
    got,
    kept_by,
    replicas,
    searched,
    since,
    stored,
)
from tests.service.tracking.test_workspaces import Inside, leaves
from tests.serving import Client, new_tenant

POINT = {"key": "loss", "value": 0.25, "timestamp": 7, "step": 1}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def any_two(platform_environment: Mapping[str, str]) -> AsyncIterator[Replicas]:
    """Two processes for all tests here."""
    async with replicas(platform_environment) as both:
        yield both


@pytest.fixture
def both(any_two: Replicas) -> Replicas:
    """Both, for a fresh tenant."""
    return any_two.of_new_tenant()


async def status(client: Client, run_id: str) -> int:
    """The status of asking for a run."""
    return (await client.ask("GET", "/api/2.0/mlflow/runs/get", query=f"run_id={run_id}")).status


async def test_a_run_is_read_once(both: Replicas) -> None:
    run = await new_run(both.one, params={"lr": "1"}, metrics={"loss": 1, "nan": "NaN"})
    before = counts()
    first = (await both.one.ask("GET", "/api/2.0/mlflow/runs/get", query=f"run_id={run}")).body
    for client in (both.one, both.other):
        reply = await client.ask("GET", "/api/2.0/mlflow/runs/get", query=f"run_id={run}")
        assert reply.body == first
    assert since(before) == {"database": 1, "memory": 1, "redis": 1}


async def test_a_page_is_put_together_from_what_is_kept(both: Replicas) -> None:
    runs = [await new_run(both.one, params={"n": str(n)}) for n in range(12)]
    await got(both.one, runs[0])
    before = counts()
    page = await searched(both.one)
    assert since(before) == {"database": 11, "memory": 1}
    assert await searched(both.other) == page == {run: await stored(both.one, run) for run in runs}
    assert since(before) == {"database": 11, "memory": 1, "redis": 12}


async def test_a_page_leaves_out_the_models_that_a_run_used_and_the_run_itself_does_not(
    both: Replicas,
) -> None:
    run = await new_run(both.one)
    await both.one.post("runs/log-inputs", {"run_id": run, "models": [{"model_id": "m-1"}]})
    for _ in range(2):
        for client in both.each:
            assert (await got(client, run))["inputs"] == {"model_inputs": [{"model_id": "m-1"}]}
            assert (await searched(client))[run]["inputs"] == {}


@pytest.mark.parametrize("reader", [0, 1])
async def test_what_was_read_before_a_write_is_not_kept_after_it(
    both: Replicas, reader: int
) -> None:
    """A slow reader, on the writer's process and on the other, is overtaken by a write."""
    run, slow = await new_run(both.one), both.each[reader]
    read, release = asyncio.Event(), asyncio.Event()
    number = slow.tenant.number

    async def load(_: Sequence[UUID]) -> Mapping[UUID, Shown]:
        found = await queries.shown_run(slow.running.database, number, 1, UUID(run))
        read.set()
        await release.wait()
        return found

    filling = asyncio.create_task(kept_by(slow).find(number, 1, [UUID(run)], load))
    await read.wait()
    await both.one.post("runs/log-metric", {"run_id": run, **POINT})
    release.set()
    assert b"loss" not in (await filling)[UUID(run)].whole
    for client in both.each:
        assert (await got(client, run))["data"]["metrics"] == [POINT]


async def test_a_write_that_overtakes_the_one_who_stamps_is_seen(both: Replicas) -> None:
    """Of two who stamp a run at once, the later one keeps nothing under a stamp that is not there."""
    run = await new_run(both.one)
    assert [(await got(client, run))["data"].get("metrics") for client in both.each] == [None] * 2
    await both.other.post("runs/log-metric", {"run_id": run, **POINT})
    reads = await asyncio.gather(*(got(client, run) for client in both.each * 8))
    assert all(read["data"]["metrics"] == [POINT] for read in reads)


async def test_what_is_kept_is_shown_to_nobody_who_may_not_see_it(both: Replicas) -> None:
    experiment = await new_experiment(both.one, "shared")
    run = await new_run(both.one, experiment)
    member = person(both.one, "", allow("shared", "run.read"))
    assert await status(member, run) == 200
    before = counts()
    assert await status(member, run) == 200
    assert since(before) == {"memory": 1}
    member.may("", allow("other", "run.read"), version=2)
    member.running.authority.heard(member.tenant.number, member.subject, 2)
    assert await status(member, run) == 404
    assert await searched(member, experiment) == {}
    assert await status(both.one, run) == 200


async def test_what_is_kept_is_shown_to_no_other_tenant_and_workspace(both: Replicas) -> None:
    run = await new_run(both.one)
    await got(both.one, run)
    for stranger in (both.one.of(new_tenant()), Inside(both.one), Inside(both.other)):
        assert await status(stranger, run) == 404
    before = counts()
    await got(both.one, run)
    assert since(before) == {"memory": 1}


async def test_a_run_that_moves_to_another_workspace_is_gone_from_its_own(
    both: Replicas, platform_environment: dict[str, str]
) -> None:
    inside, outside = [Inside(client) for client in both.each], both.each
    run = await new_run(inside[0], await new_experiment(inside[0], "theirs"))
    assert [await status(client, run) for client in (*inside, *outside)] == [200, 200, 404, 404]
    await leaves(both.one, "SET_DEFAULT", platform_environment)
    assert [await status(client, run) for client in (*inside, *outside)] == [404, 404, 200, 200]


async def test_all_runs_of_a_large_experiment_are_outdated(both: Replicas) -> None:
    experiment = await new_experiment(both.one)
    for _ in range(3):
        await both.one.post("runs/create", {"experiment_id": experiment})
    await multiply(both.one, experiment, 1200)
    before = await searched(both.other, experiment)
    assert {run["info"]["lifecycle_stage"] for run in before.values()} == {"active"}
    await both.one.post("experiments/delete", {"experiment_id": experiment})
    after = await searched(both.other, experiment)
    assert {run["info"]["lifecycle_stage"] for run in after.values()} == {"deleted"}


async def multiply(client: Client, experiment: str, count: int) -> None:
    """Give an experiment so many runs more."""
    async with client.running.database.transaction(client.tenant.number) as connection:
        await connection.execute(
            "INSERT INTO runs (tenant_no, experiment_id, run_id, workspace_id, start_time, status,"
            " name, user_id, artifact_uri, created_by)"
            " SELECT $1, $2, gen_random_uuid(), 1, n, 'RUNNING', 'n', '', '', ''"
            " FROM generate_series(1, $3::int4) n",
            *(client.tenant.number, int(experiment), count),
        )


async def test_redis_holds_nothing_that_can_be_read_or_replaced(
    both: Replicas, platform_environment: dict[str, str]
) -> None:
    run = await new_run(both.one, params={"secret": "words"})
    planted = await new_run(both.one)
    number = both.one.tenant.number
    async with Redis.from_url(platform_environment["MAESTRO_REDIS_URL"]) as redis:
        for each in (run, planted):
            await got(both.one, each)
        name = f"tracking:run:{number}:1:{run}"
        value = await redis.get(name)
        other = await redis.get(f"tracking:run:{number}:1:{planted}")
        assert isinstance(value, bytes)
        assert isinstance(other, bytes)
        assert b"words" not in value
        assert b"secret" not in value
        assert 0 < await redis.pttl(name) <= 2000
        # Another run's, in its place: it is not opened, and the database is read.
        await redis.set(name, other)
    before = counts()
    assert (await got(both.other, run))["info"]["run_id"] == run
    assert since(before) == {"database": 1}
