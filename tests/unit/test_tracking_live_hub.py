"""The hub of live events with a broker and a database of the test's own: who is told what, and once."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from libs.common.contracts.tracking import (
    POINTS_KEY,
    MetricsLogged,
    RunDetailsLogged,
    RunPoints,
)
from services.tracking.live import channel as channels
from services.tracking.live import hub as hubs
from services.tracking.live import lookup
from services.tracking.live.channel import Channel, Subject
from services.tracking.schemas import live
from tests.unit.live_doubles import (
    BESIDE,
    CHANGES,
    ELSEWHERE,
    EXPERIMENTS,
    OTHER,
    POINTS,
    RUN,
    SUBJECTS,
    TENANT,
    Client,
    Log,
    Process,
    Told,
    about,
    part,
)


@pytest.fixture(autouse=True)
def database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are in their experiments; the latest point of a metric is at step -1."""

    async def experiments_of(_: None, __: int, run_ids: Sequence[str]) -> dict[str, int]:
        return {run_id: EXPERIMENTS[run_id] for run_id in run_ids}

    async def latest_of(_: None, __: int, wanted: Mapping[str, Sequence[str]]) -> Any:
        return {
            run: [live.Point(run, key, 0.5, 7, -1) for key in keys] for run, keys in wanted.items()
        }

    monkeypatch.setattr(lookup, "experiments_of", experiments_of)
    monkeypatch.setattr(lookup, "latest_of", latest_of)
    monkeypatch.setattr(hubs, "PACE_SECONDS", 0.0)


async def test_of_a_fact_each_hears_what_is_its_own_in_one_event() -> None:
    log = Log()
    process = Process(log)
    run, other, whole = (Client(subject) for subject in SUBJECTS)
    foreign = Client(Subject(OTHER, RUN))
    for each in (run, other, whole, foreign):
        await each.comes(process)
    log.say(MetricsLogged(runs=[part(RUN, 1), part(BESIDE, 2), part(ELSEWHERE, 3), part(RUN, 4)]))
    process.reads()
    await process.tells()
    assert run._listener is not None
    assert whole._listener is not None
    assert len(run._listener._waiting) == len(whole._listener._waiting) == 1
    for each in (run, other, whole, foreign):
        await each.takes()
    assert run.told == [(RUN, 1), (RUN, 4)]
    assert other.told == [(ELSEWHERE, 3)]
    assert whole.told == [(RUN, 1), (BESIDE, 2), (RUN, 4)]
    assert foreign.told == []
    assert run.last == "p3.1-r7.0"


async def test_points_of_runs_that_nobody_listens_to_are_not_kept() -> None:
    log = Log()
    process = Process(log)
    run = Client(SUBJECTS[0])
    await run.comes(process)
    log.say(MetricsLogged(runs=[part(BESIDE, 1), part(ELSEWHERE, 2)]))
    log.say(MetricsLogged(runs=[part(RUN, 3)]), tenant=OTHER)
    process.reads()
    assert process.hub._untold == []
    whole = Client(SUBJECTS[2])
    await whole.comes(process)
    log.say(MetricsLogged(runs=[part(BESIDE, 4), part(ELSEWHERE, 5)]))
    process.reads()
    # Where the runs are is not known yet.
    assert [item.run_id for item in process.hub._untold] == [BESIDE, ELSEWHERE]
    await process.tells()
    log.say(MetricsLogged(runs=[part(BESIDE, 6), part(ELSEWHERE, 7)]))
    process.reads()
    assert [item.run_id for item in process.hub._untold] == [BESIDE]


async def test_keys_are_wanted_for_as_long_as_anybody_listens() -> None:
    process = Process(Log())
    hub, points = process.hub, f"{TENANT}/{POINTS_KEY}".encode()
    assert not hub._wants(points)
    clients = [Client(subject) for subject in SUBJECTS[:2]]
    for client in clients:
        await client.comes(process)
    assert hub._wants(points)
    assert not hub._wants(f"{OTHER}/{POINTS_KEY}".encode())
    for number, client in enumerate(clients):
        client.leaves()
        hub._close(client.subject)
        assert hub._wants(points) is (number == 0)
    assert hub._keys == {}


async def test_who_comes_back_is_told_what_was_read_before_and_not_handed_out() -> None:
    log = Log()
    process = Process(log)
    other, run = Client(SUBJECTS[1]), Client(SUBJECTS[0])
    await other.comes(process)
    await run.comes(process)
    run.leaves()
    process.hub._close(run.subject)
    # Nobody listens to it: it is passed over, and where all stand is as it was.
    log.say(MetricsLogged(runs=[part(RUN, 1), part(BESIDE, 2)]))
    process.reads()
    assert await run.comes(process)
    await run.takes()
    log.say(MetricsLogged(runs=[part(RUN, 3)]))
    process.reads()
    await process.tells()
    await run.takes()
    assert run.told == [(RUN, 1), (RUN, 3)]


async def test_what_was_heard_for_others_before_one_came_is_told_once() -> None:
    log = Log()
    process = Process(log)
    whole, run = Client(SUBJECTS[2]), Client(SUBJECTS[0])
    await whole.comes(process)
    await run.comes(process)
    run.leaves()
    process.hub._close(run.subject)
    log.say(MetricsLogged(runs=[part(RUN, 1)]))
    process.reads()
    assert await run.comes(process)
    await process.tells()
    await run.takes()
    await whole.takes()
    assert run.told == whole.told == [(RUN, 1)]


async def test_more_than_one_look_may_open_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    run = Client(SUBJECTS[0])
    await run.comes(Process(log))
    run.leaves()
    # Of a run that it does not listen to: it is opened all the same.
    log.say(MetricsLogged(runs=[part(BESIDE, *range(50))] * 2))
    monkeypatch.setattr(hubs, "MOST_LOOKED_AT", 104)
    assert await run.comes(Process(log))
    run.leaves()
    monkeypatch.setattr(hubs, "MOST_LOOKED_AT", 103)
    assert not await run.comes(Process(log))


async def test_a_run_that_is_told_in_parts_counts_what_is_left_out_once() -> None:
    log = Log()
    process = Process(log)
    run = Client(SUBJECTS[0])
    await run.comes(process)
    for first in (0, 200):
        steps = {f"{number:03}": 1 for number in range(first, first + 200)}
        log.say(MetricsLogged(runs=[RunPoints(run_id=RUN, steps=steps, points=300)]))
    process.reads()
    await process.tells()
    await run.takes()
    assert (len(run.told), run.left_out) == (400, 200)


def expected(log: Log, client: Client) -> Told:
    """What a client was to be told since it came first, points before changes."""
    told: Told = []
    for place, at in client.began.items():
        for key, event in log.said[place][at:]:
            if not key.startswith(client.subject.tenant.encode()):
                continue
            fact = event.fact
            parts = fact.runs if isinstance(fact, MetricsLogged) else [fact]
            for one in parts:
                if about(client.subject, one.run_id):
                    steps = (
                        [value[3] for value in one.values]
                        if isinstance(one, RunPoints)
                        else [int(one.tags["n"])]
                    )
                    told += [(one.run_id, step) for step in steps]
    return told


async def step_of(
    dice: random.Random, log: Log, processes: list[Process], clients: list[Client]
) -> None:
    """Something happens."""
    number = sum(len(said) for said in log.said.values())
    process, client = dice.choice(processes), dice.choice(clients)
    what = dice.randrange(7)
    if what == 0:
        # One is of points below zero, the other of what is not: each tells them apart.
        runs = dice.choices(list(EXPERIMENTS), k=dice.randint(1, 5))
        tenant = dice.choice([TENANT, TENANT, OTHER])
        facts = [part(run, *range(-10 * number - dice.randint(1, 5), -10 * number)) for run in runs]
        log.say(MetricsLogged(runs=facts), tenant)
    elif what == 1:
        tags = {"n": str(number)}
        log.say(RunDetailsLogged(run_id=dice.choice(list(EXPERIMENTS)), tags=tags))
    elif what == 2:
        process.reads(dice.randint(1, 4))
    elif what == 3:
        await process.tells()
    elif what == 4:
        await client.takes()
    elif client._listener is not None:
        client.leaves()
        for each in processes:
            found = each.hub._channels.get(client.subject)
            if found is not None and not found.listeners and dice.random() < 0.5:
                each.hub._close(client.subject)
    else:
        assert await client.comes(process)


@pytest.mark.parametrize("seed", range(60))
async def test_whatever_happens_everything_is_told_once_and_in_order(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    dice = random.Random(seed)
    monkeypatch.setattr(channels, "LEAST_KEPT", dice.choice([1, 5, 200]))
    monkeypatch.setattr(hubs, "MOST_KEPT", 0)
    # Where it is long, a channel is told only when somebody comes.
    monkeypatch.setattr(hubs, "PACE_SECONDS", dice.choice([0.0, 1_000.0]))
    log = Log()
    processes = [Process(log), Process(log)]
    clients = [Client(subject) for subject in SUBJECTS * 2]
    for _ in range(400):
        await step_of(dice, log, processes, clients)
    for client in clients:
        await client.takes()
        client.leaves()
        process = dice.choice(processes)
        process.reads()
        await process.tells()
        assert await client.comes(process)
        await client.takes()
        wanted = expected(log, client)
        assert [one for one in client.told if one[1] < 0] == [one for one in wanted if one[1] < 0]
        assert [one for one in client.told if one[1] >= 0] == [one for one in wanted if one[1] >= 0]


def test_a_channel_counts_its_tenant_once_for_points() -> None:
    assert Channel(SUBJECTS[0], {POINTS: 0, CHANGES: 0}).subject.keys == (
        f"{TENANT}/{RUN}".encode(),
        f"{TENANT}/{POINTS_KEY}".encode(),
    )
