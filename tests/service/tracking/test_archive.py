"""Archived points: whatever was stored, archived and read, histories are those of a plain list."""

from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.service.tracking.archiving import archived, count, ended, frozen, frozen_again
from tests.service.tracking.making import new_run, points_of
from tests.service.tracking.owners import new_model
from tests.service.tracking.packing import (
    LEAST,
    MOST,
    Kept,
    in_pages,
    line_of,
    log,
    of_model,
    sampled,
)
from tests.service.tracking.test_packing import FOLLOW, STORE
from tests.serving import Client, new_tenant

ARCHIVE = st.tuples(st.just("archive"), st.just(False), st.sampled_from([1, 1, 20]))
FREEZE = st.tuples(st.just("freeze"), st.just(False), st.just(0))
READ = st.tuples(st.just("read"), st.just(False), st.just(0))


@settings(
    max_examples=30,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    plan=st.lists(STORE | FOLLOW | ARCHIVE | FREEZE | READ, min_size=1, max_size=8),
    steps=st.tuples(st.sampled_from([LEAST, -2, 0]), st.sampled_from([0, 5, 30, MOST])),
    most=st.integers(1, 25),
)
async def test_histories_are_those_of_a_plain_list(
    tracking: Client, plan: list[tuple[str, bool, Any]], steps: tuple[int, int], most: int
) -> None:
    client = tracking.of(new_tenant())
    run_id, model_id = await new_run(client), await new_model(client)
    run_id = await ended(client, run_id)
    kept = Kept()
    for what, flag, given_ in [*plan, ("archive", False, 1)]:
        if what in ("store", "follow"):
            points = kept.following(given_) if what == "follow" else given_
            await log(client, run_id, points, model_id if flag else None)
            kept.store(points, of_model=flag)
        elif what == "archive":
            await archived(client, least=given_)
        elif what == "freeze":
            await frozen_again(client)
        else:
            assert await points_of(client, run_id, "m") == kept.history()
    expected = kept.history()
    assert await sampled(client, run_id, *steps, most) == kept.samples(*steps, most)
    assert await points_of(client, run_id, "m") == expected
    await frozen_again(client)
    assert await in_pages(client, run_id, most) == expected
    assert await of_model(client, model_id) == set(kept.of_model)


async def test_points_leave_the_tables_and_come_back_metric_by_metric(client: Client) -> None:
    run_id = await new_run(client)
    line = line_of(0, 300, 1, 0, 3, 0.1)
    await log(client, run_id, line, None)
    await client.post(
        "runs/log-batch",
        {
            "run_id": run_id,
            "metrics": [{"key": "a", "value": 1, "timestamp": n, "step": n} for n in range(40)],
        },
    )
    run_id = await ended(client, run_id)
    assert await archived(client) == 1
    tables = ("metric_points", "metric_segments", "archived_points")
    assert [await count(client, table) for table in tables] == [0, 0, 1]
    assert await frozen(client) == 2
    assert await points_of(client, run_id, "m") == line
    assert await frozen(client) == 1
    assert await points_of(client, run_id, "m") == line
    await frozen_again(client)
    assert await count(client, "metric_segments") == 0
    assert await points_of(client, run_id, "a") == [(1, n, n) for n in range(40)]
    assert await archived(client) == 0
