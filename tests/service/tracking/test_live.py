"""Live events of runs: they come as they are committed, to those who may see them and read them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from libs.common.database import Connection
from services.tracking.live import listener
from services.tracking.live.channel import Subject
from services.tracking.queries.live import run_now
from services.tracking.service import SERVICE
from services.tracking.state import state_of
from tests.service.tracking.events import listening, of_experiment, of_run
from tests.service.tracking.making import new_experiment, new_run
from tests.service.tracking.people import allow, person
from tests.serving import Client, new_tenant, served
from tests.waiting import eventually


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def beside(
    tracking: Client, platform_environment: Mapping[str, str]
) -> AsyncIterator[Client]:
    """Another process of the service, as far as memory, pool and broker go."""
    env = {**platform_environment, "MAESTRO_INSTANCE": "beside"}
    async with served(SERVICE, env, signer=tracking.signer) as client:
        yield client


async def log(client: Client, run_id: str, key: str, step: int, value: float | str = 0.5) -> None:
    """Log one point."""
    body = {"run_id": run_id, "key": key, "value": value, "timestamp": step + 1, "step": step}
    await client.post("runs/log-metric", body)


async def test_what_is_committed_to_a_run_is_told(client: Client) -> None:
    run_id = await new_run(client)
    await log(client, run_id, "first", 0, 3.0)
    async with listening(client, of_run(run_id)) as stream:
        (snapshot,) = await stream.comes("snapshot")
        (run,) = snapshot.data["runs"]
        assert (run["run_id"], run["status"]) == (run_id, "RUNNING")
        assert run["metrics"] == [{"key": "first", "value": 3.0, "timestamp": 1, "step": 0}]
        await log(client, run_id, "loss", 1, 2.5)
        # What was committed just before the snapshot may be told once more.
        await eventually(lambda: ("loss", 2.5, 1) in stream.points)
        batch = [{"key": "acc", "value": "NaN", "timestamp": 9, "step": n} for n in range(3)]
        params = [{"key": "lr", "value": "0.1"}]
        await client.post("runs/log-batch", {"run_id": run_id, "metrics": batch, "params": params})
        await eventually(lambda: stream.points[-3:] == [("acc", "NaN", n) for n in range(3)])
        (details,) = await stream.comes("details")
        assert details.data == {"run_id": run_id, "params": {"lr": "0.1"}}
        await client.post("runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": 77})
        await eventually(lambda: stream.told[-1].data.get("end_time") == 77)
        assert (stream.told[-1].event, stream.told[-1].data["status"]) == ("run", "FINISHED")
        await client.post("runs/delete", {"run_id": run_id})
        await eventually(lambda: stream.told[-1].data.get("change") == "deleted")
        assert stream.told[-1].data["lifecycle_stage"] == "deleted"


async def test_what_is_committed_while_a_snapshot_is_read_is_told(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await new_run(client)
    async with listening(client, of_run(run_id)) as before:
        await before.comes("snapshot")

        async def read_slowly(connection: Connection, *asked: Any) -> Any:
            found = await run_now(connection, *asked)
            await log(client, run_id, "loss", 1)
            # Until it was handed out: whoever does not hear by now never will.
            await before.has(1)
            return found

        monkeypatch.setattr("services.tracking.api.live.run_now", read_slowly)
        async with listening(client, of_run(run_id)) as stream:
            (snapshot,) = await stream.comes("snapshot")
            assert snapshot.data["runs"][0]["metrics"] == []
            assert await stream.has(1) == [("loss", 0.5, 1)]


async def test_an_experiment_tells_of_all_its_runs_and_of_no_other(
    client: Client, beside: Client
) -> None:
    here, there = await new_experiment(client), await new_experiment(client)
    old, other = await new_run(client, here), await new_run(client, there)
    # Heard by another process than the one that commits.
    async with listening(beside.of(client.tenant), of_experiment(here)) as stream:
        (snapshot,) = await stream.comes("snapshot")
        assert [run["run_id"] for run in snapshot.data["runs"]] == [old]
        new = await new_run(client, here)
        for step in range(3):
            for run_id in (old, other, new):
                await log(client, run_id, "loss", step)
        await stream.has(6)
        told = [t.data for t in stream.told if t.event == "metrics"]
        runs = [point["run_id"] for data in told for point in data["points"]]
        assert sorted(runs) == sorted([old, new] * 3)
        created = [t.data["run_id"] for t in stream.told if t.event == "run"]
        assert new in created
        assert other not in created


async def test_what_is_committed_together_is_told_to_each_who_may_see_it_alone(
    client: Client,
) -> None:
    team = client.of(client.tenant)
    team.claims = {"workspace_id": 7, "workspace": "team"}
    stranger = client.of(new_tenant())
    here, there = await new_experiment(client), await new_experiment(client)
    asked = [
        (client, await new_run(client, here)),
        (client, await new_run(client, here)),
        (client, await new_run(client, there)),
        (team, await new_run(team, await new_experiment(team))),
        (stranger, await new_run(stranger)),
    ]
    runs = [run_id for _, run_id in asked]
    async with AsyncExitStack() as stack:
        heard = [
            await stack.enter_async_context(listening(who, of_run(run_id))) for who, run_id in asked
        ]
        whole = await stack.enter_async_context(listening(client, of_experiment(here)))
        for stream in (*heard, whole):
            await stream.comes("snapshot")
        each = range(1, 30)
        await asyncio.gather(
            *(log(who, run_id, f"of {run_id}", step) for step in each for who, run_id in asked)
        )
        for stream, run_id in zip(heard, runs, strict=True):
            assert sorted(await stream.has(len(each))) == [(f"of {run_id}", 0.5, n) for n in each]
        of_both = sorted((f"of {run_id}", 0.5, n) for run_id in runs[:2] for n in each)
        assert sorted(await whole.has(2 * len(each))) == of_both


async def test_many_points_at_once_are_told_as_the_latest_of_each_metric(client: Client) -> None:
    run_id = await new_run(client)
    async with listening(client, of_run(run_id)) as stream:
        await stream.comes("snapshot")
        points = [
            {"key": f"m{n % 4}", "value": n, "timestamp": 1, "step": n // 4} for n in range(1000)
        ]
        await client.post("runs/log-batch", {"run_id": run_id, "metrics": points})
        (told,) = await stream.comes("metrics")
        assert sorted(stream.points) == [(f"m{n}", 996.0 + n, 249) for n in range(4)]
        assert told.data["left_out"] == 996


async def test_a_stream_ends_when_its_seconds_are_over(client: Client) -> None:
    run_id = await new_run(client)
    async with listening(client, of_run(run_id), query="seconds=0") as stream:
        await eventually(lambda: stream.ended)
        assert stream.told[0].event == "snapshot"
        assert b"retry: " in stream.raw


async def test_what_one_may_not_see_is_missing(client: Client) -> None:
    experiment = await new_experiment(client, "hidden")
    run_id = await new_run(client, experiment)
    stranger = client.of(new_tenant())
    member = person(client, "", allow("shown", "experiment.read", "run.read"))
    async with listening(client, of_run(run_id)) as stream:
        await stream.comes("snapshot")
        known = stream.last_id
    for path in (of_run(run_id), of_run("0" * 32), of_run("x"), of_experiment(experiment)):
        for last in ("", known):
            for nobody in (stranger, member):
                async with listening(nobody, path, last=last) as refused:
                    assert refused.status == 404, (path, last)
                    assert b"RESOURCE_DOES_NOT_EXIST" in refused.raw


async def test_whoever_may_not_read_any_more_hears_nothing_more(client: Client) -> None:
    experiment = await new_experiment(client, "shown/one")
    run_id = await new_run(client, experiment)
    member = person(client, "", allow("shown/*", "experiment.read", "run.read"))
    async with (
        listening(member, of_run(run_id)) as of_member,
        listening(member, of_experiment(experiment)) as of_whole,
        listening(client, of_run(run_id)) as of_owner,
    ):
        for stream in (of_member, of_whole, of_owner):
            await stream.comes("snapshot")
        member.may("", version=2)
        client.running.authority.heard(client.tenant.number, member.subject, 2)
        await eventually(lambda: of_member.ended and of_whole.ended, within=3)
        await log(client, run_id, "loss", 7)
        await eventually(lambda: ("loss", 0.5, 7) in of_owner.points)
        assert of_member.points == of_whole.points == []


async def test_renaming_an_experiment_out_of_sight_ends_the_stream(client: Client) -> None:
    experiment = await new_experiment(client, "seen/one")
    run_id = await new_run(client, experiment)
    member = person(client, "", allow("seen/*", "experiment.read", "run.read"))
    async with listening(member, of_run(run_id)) as stream:
        await stream.comes("snapshot")
        body = {"experiment_id": experiment, "new_name": "unseen/one"}
        await client.post("experiments/update", body)
        await eventually(lambda: stream.ended, within=10)


async def test_who_does_not_read_is_let_go_and_the_others_hear_on(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "MOST_BYTES", 4_000)
    run_id = await new_run(client)
    async with (
        listening(client, of_run(run_id)) as slow,
        listening(client, of_run(run_id)) as quick,
    ):
        await slow.comes("snapshot")
        await quick.comes("snapshot")
        slow.reads.clear()
        logged = 0
        while not slow.broken:
            await log(client, run_id, "loss", logged)
            logged += 1
            assert logged < 500
        assert len(await quick.has(logged)) == logged
        assert not quick.ended


async def test_a_client_that_leaves_is_forgotten(client: Client) -> None:
    run_id = await new_run(client)
    async with listening(client, of_run(run_id)) as stream:
        await stream.comes("snapshot")
        channel = state_of(client.running).live._channels[Subject(client.tenant.id, run_id)]
        assert len(channel.listeners) == 1
        stream.gone.set()
        await eventually(lambda: not channel.listeners)


async def test_nothing_is_read_where_nobody_listens(
    client: Client, beside: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await new_run(client)
    async with listening(beside.of(client.tenant), of_run(run_id)) as stream:
        await stream.comes("snapshot")
        tail = beside.running.tails["live"]
        assert tail.wanted.is_set()
    for place in ("hub", "channel"):
        monkeypatch.setattr(f"services.tracking.live.{place}.LINGER_SECONDS", 0.0)
    await eventually(lambda: not tail.wanted.is_set() and not tail.positions)
    monkeypatch.undo()
    async with listening(beside.of(client.tenant), of_run(run_id)) as stream:
        await stream.comes("snapshot")
        await log(client, run_id, "loss", 1)
        await eventually(lambda: ("loss", 0.5, 1) in stream.points)
