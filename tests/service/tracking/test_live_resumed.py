"""Whoever comes back with the last event's id is told exactly what was missed, or begins anew."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from aiokafka.errors import KafkaError

from libs.common.bus.watch import Progress
from services.tracking.live import channel
from services.tracking.service import SERVICE
from tests.service.tracking.events import listening, of_experiment, of_run
from tests.service.tracking.making import new_experiment, new_run
from tests.serving import Client, served
from tests.waiting import eventually

MISSED = 30


@asynccontextmanager
async def another(
    client: Client, environment: Mapping[str, str], instance: str
) -> AsyncIterator[Client]:
    """A process that has just started."""
    env = {**environment, "MAESTRO_INSTANCE": instance}
    async with served(SERVICE, env, signer=client.signer, tenant=client.tenant) as found:
        yield found


async def log(client: Client, run_id: str, *steps: int) -> None:
    """Log points, one request each."""
    for step in steps:
        body = {"run_id": run_id, "key": "loss", "value": step, "timestamp": 1, "step": step}
        await client.post("runs/log-metric", body)


def steps(points: list[tuple[str, object, int]]) -> list[int]:
    """The steps of points."""
    return [step for _, _, step in points]


async def listened(client: Client, path: str, run_id: str) -> str:
    """Listen until two points came; the id of the second."""
    async with listening(client, path) as stream:
        await stream.comes("snapshot")
        await log(client, run_id, 0)
        await stream.has(1)
        await log(client, run_id, 1)
        assert steps(await stream.has(2)) == [0, 1]
        return stream.last_id


async def missed_and_next(client: Client, by: Client, path: str, run_id: str, last: str) -> None:
    """What was logged while nobody listened comes once and in order, then what comes next."""
    async with listening(by, path, last=last) as stream:
        await stream.has(MISSED)
        await log(client, run_id, 100)
        await stream.has(MISSED + 1)
        assert steps(stream.points) == [*range(2, MISSED + 2), 100]
        assert "snapshot" not in [told.event for told in stream.told]
        again = stream.last_id
    async with listening(by, path, last=again) as stream:
        await log(client, run_id, 101)
        await stream.has(1)
        assert steps(stream.points) == [101]


@pytest.mark.parametrize("whole", [False, True], ids=["run", "experiment"])
async def test_by_the_same_process(client: Client, whole: bool) -> None:
    experiment = await new_experiment(client)
    run_id = await new_run(client, experiment)
    path = of_experiment(experiment) if whole else of_run(run_id)
    last = await listened(client, path, run_id)
    await log(client, run_id, *range(2, MISSED + 2))
    await missed_and_next(client, client, path, run_id, last)


@pytest.mark.parametrize("whole", [False, True], ids=["run", "experiment"])
async def test_after_more_than_is_kept_in_memory(
    client: Client, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    monkeypatch.setattr(channel, "LEAST_KEPT", 5)
    monkeypatch.setattr("services.tracking.live.hub.MOST_KEPT", 0)
    experiment = await new_experiment(client)
    run_id = await new_run(client, experiment)
    path = of_experiment(experiment) if whole else of_run(run_id)
    async with listening(client, path) as other:
        last = await listened(client, path, run_id)
        await log(client, run_id, *range(2, MISSED + 2))
        await other.has(MISSED + 2)
        await missed_and_next(client, client, path, run_id, last)
        # Each of them once to the one who stayed, too.
        assert steps(await other.has(MISSED + 4)) == [*range(MISSED + 2), 100, 101]


async def test_by_a_process_that_has_just_started(
    client: Client, platform_environment: Mapping[str, str]
) -> None:
    experiment = await new_experiment(client)
    run_id = await new_run(client, experiment)
    of_one, of_whole = of_run(run_id), of_experiment(experiment)
    async with another(client, platform_environment, "first") as first:
        last = await listened(first, of_one, run_id)
        async with listening(first, of_whole) as stream:
            await stream.comes("snapshot")
            whole_last = stream.last_id
    await log(client, run_id, *range(2, MISSED + 2))
    async with another(client, platform_environment, "second") as second:
        async with listening(second, of_whole, last=whole_last) as stream:
            assert steps(await stream.has(MISSED)) == list(range(2, MISSED + 2))
        await missed_and_next(client, second, of_one, run_id, last)


async def test_a_broken_connection_to_the_broker_loses_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await new_run(client)
    async with listening(client, of_run(run_id)) as stream:
        await stream.comes("snapshot")
        await log(client, run_id, 0)
        await stream.has(1)
        breaks = Progress.note
        broken: list[bool] = []

        async def note(self: Progress, *, moved: bool) -> None:
            if self._group.endswith(".live") and not broken:
                broken.append(moved)
                raise KafkaError("the connection is gone")
            await breaks(self, moved=moved)

        monkeypatch.setattr(Progress, "note", note)
        await eventually(lambda: broken)
        await log(client, run_id, *range(1, 10))
        assert steps(await stream.has(10)) == list(range(10))
        assert not stream.ended


async def test_what_is_not_kept_any_more_begins_anew(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await new_run(client)
    last = await listened(client, of_run(run_id), run_id)
    monkeypatch.setattr("libs.common.bus.tail.MOST_READ_BACK", 3)
    monkeypatch.setattr(channel, "LEAST_KEPT", 1)
    monkeypatch.setattr("services.tracking.live.hub.MOST_KEPT", 0)
    async with listening(client, of_run(run_id)) as other:
        await other.comes("snapshot")
        await log(client, run_id, *range(2, 12))
        await other.has(10)
        async with listening(client, of_run(run_id), last=last) as stream:
            (snapshot,) = await stream.comes("snapshot")
            (latest,) = snapshot.data["runs"][0]["metrics"]
            assert (latest["value"], latest["step"]) == (11.0, 11)
            await log(client, run_id, 12)
            assert steps(await stream.has(1)) == [12]


@pytest.mark.parametrize("last", ["x", "p0.1", "p0.1-r0.1-r1.1", "m0.1-r0.1", "p" * 3000])
async def test_an_id_that_is_none_of_ours_begins_anew(client: Client, last: str) -> None:
    run_id = await new_run(client)
    async with listening(client, of_run(run_id), last=last) as stream:
        assert stream.status == 200
        await stream.comes("snapshot")
