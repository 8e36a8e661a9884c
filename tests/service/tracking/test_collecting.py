"""The collector: what is past its time goes for good, and nothing that a version or a fork needs."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from libs.common.errors import unavailable
from services.registry import consumers
from services.tracking.commands.collecting import collect
from services.tracking.commands.contents import free_contents
from tests.service.tracking.collecting import (
    NOTHING,
    collected,
    content_of,
    full_run,
    is_there,
    rows,
    scope_of,
    states,
    unheard,
    upload,
    version_of,
    would_go,
)
from tests.service.tracking.making import new_experiment, new_run, points_of
from tests.service.tracking.owners import new_model, objects, stored
from tests.service.tracking.test_forks import fork, line, log
from tests.serving import Client
from tests.waiting import eventually


async def test_a_deleted_experiment_goes_with_all_that_was_in_it(
    client: Client, registry: Client
) -> None:
    experiment = await new_experiment(client, "short-lived")
    await full_run(client, experiment)
    model = await client.post(
        "logged-models",
        {
            "experiment_id": experiment,
            "params": [{"key": "p", "value": "1"}],
            "tags": [{"key": "t", "value": "1"}],
        },
    )
    model_id = model["model"]["info"]["model_id"]
    await upload(client, f"{experiment}/models/{model_id}/artifacts/a", b"12345")
    await client.post("experiments/delete", {"experiment_id": experiment})
    expected = {
        **NOTHING,
        "runs": 1,
        "logged_models": 1,
        "experiments": 1,
        "points": 5,
        "artifact_bytes": 12,
    }
    assert await would_go(client, None) == NOTHING
    assert await would_go(client) == expected
    assert await collected(client) == expected
    assert set((await rows(client)).values()) == {0}
    await new_experiment(client, "short-lived")


async def test_what_a_version_needs_stays_whatever_shares_its_content(
    client: Client, registry: Client
) -> None:
    by_run, by_path, shared, alone = [
        await full_run(client, "0", content)
        for content in (b"by run", b"by path", b"by run", b"nobody's" * 100)
    ]
    model = await new_model(client)
    made = f"0/models/{model}/artifacts/model.bin"
    await upload(client, made, b"by model")
    await version_of(registry, f"runs:/{by_run}/model", run_id=by_run)
    for source, more in (
        (f"mlflow-artifacts:/0/{by_path}/artifacts/model", {"run_id": by_path}),
        (f"models:/{model}", {"model_id": model}),
        ("models:/m/1", {}),
    ):
        body = {"name": "m", "source": source, **more}
        await registry.post("model-versions/create", body)
    needed = [f"0/{run_id}/artifacts/model/weights.bin" for run_id in (by_run, by_path)] + [made]
    before = {path: await content_of(client, path) for path in needed}
    for run_id in (by_run, by_path, shared, alone):
        await client.post("runs/delete", {"run_id": run_id})
    await client.ask("DELETE", f"/api/2.0/mlflow/logged-models/{model}")
    found = await collected(client)
    assert (found["runs"], found["logged_models"]) == (2, 0)
    assert found["artifact_bytes"] == len(b"by run") + len(b"nobody's" * 100)
    freed = await free_contents(client.running, 0)
    # What is shared is still held: the content of nobody's run alone leaves the store.
    assert freed.bytes >= len(b"nobody's" * 100)
    assert len(objects(client)) == 3
    assert await stored(client) == sorted(needed)
    assert {path: await content_of(client, path) for path in needed} == before
    assert await is_there(client, by_run)
    # When the versions are gone, so may be what they needed.
    await registry.ask("DELETE", "/api/2.0/mlflow/registered-models/delete", {"name": "m"})

    async def gone() -> bool:
        await collected(client)
        return not await stored(client)

    await eventually(gone, within=60)
    await free_contents(client.running, 0)
    assert objects(client) == []


async def test_a_version_that_was_never_heard_of_keeps_its_run(
    client: Client, registry: Client
) -> None:
    """Kafka brings nothing for as long as one likes: nothing is removed before the registry speaks."""
    run_id = await full_run(client, "0")
    other = await full_run(client, "0", b"other")
    await version_of(registry, f"runs:/{run_id}/model", run_id=run_id)
    await eventually(lambda: unheard(client), within=30)
    for deleted in (run_id, other):
        await client.post("runs/delete", {"run_id": deleted})
    assert (await would_go(client))["runs"] == 2
    assert (await collected(client))["runs"] == 1
    assert await is_there(client, run_id)
    assert not await is_there(client, other)


async def test_nothing_is_removed_while_the_registry_does_not_hear(
    client: Client, registry: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its consumer is paused; meanwhile a version is made, and after that the facts come."""
    hears, answer = asyncio.Event(), consumers._answer

    async def later(*told: Any) -> None:
        if not hears.is_set():
            raise unavailable("not yet")
        await answer(*told)

    monkeypatch.setattr(consumers, "_answer", later)
    run_id, other = await full_run(client, "0"), await full_run(client, "0", b"other")
    for deleted in (run_id, other):
        await client.post("runs/delete", {"run_id": deleted})
    for _ in range(2):
        assert not (await collect(client.running, scope_of(client))).anything
    await version_of(registry, f"runs:/{run_id}/model", run_id=run_id)
    await eventually(lambda: unheard(client), within=30)
    assert not (await collect(client.running, scope_of(client))).anything
    hears.set()
    await eventually(lambda: states(client, "released"), within=60)
    await eventually(lambda: states(client, "kept"), within=60)
    assert (await collect(client.running, scope_of(client))).runs == 1
    assert await content_of(client, f"0/{run_id}/artifacts/model/weights.bin")
    assert not await is_there(client, other)


async def test_models_in_which_a_client_looks_for_a_runs_files_stay_too(
    client: Client, registry: Client
) -> None:
    """What is registered as `runs:/<run>/<name>` lies in the model of that name that it made."""
    run_id, other = await new_run(client), await new_run(client)
    told, listed, foreign = [
        await new_model(client, source_run_id=source) for source in (run_id, "", other)
    ]
    made = [{"model_id": listed, "step": 0}]
    await client.post("runs/outputs", {"run_id": run_id, "models": made})
    for model in (told, listed, foreign):
        await upload(client, f"0/models/{model}/artifacts/model.bin", model.encode())
    await version_of(registry, f"runs:/{run_id}/model", run_id=run_id)
    for model in (told, listed, foreign):
        await client.ask("DELETE", f"/api/2.0/mlflow/logged-models/{model}")
    assert (await collected(client))["logged_models"] == 1
    left = sorted(f"0/models/{model}/artifacts/model.bin" for model in (told, listed))
    assert await stored(client) == left


async def test_no_version_is_made_of_what_was_released_and_again_when_it_is_back(
    client: Client, registry: Client
) -> None:
    run_id = await full_run(client, "0")
    await client.post("runs/delete", {"run_id": run_id})
    await collect(client.running, scope_of(client))
    await eventually(lambda: states(client, "released"), within=30)
    await registry.post("registered-models/create", {"name": "m"})
    body = {"name": "m", "source": f"runs:/{run_id}/model", "run_id": run_id}
    reply = await registry.ask("POST", "/api/2.0/mlflow/model-versions/create", body)
    assert reply.status == 400
    assert "is being removed for good" in json.loads(reply.body)["message"]
    await client.post("runs/restore", {"run_id": run_id})
    assert not (await collect(client.running, scope_of(client))).anything

    async def taken() -> bool:
        reply = await registry.ask("POST", "/api/2.0/mlflow/model-versions/create", body)
        return reply.status == 200

    await eventually(taken, within=30)
    assert await content_of(client, f"0/{run_id}/artifacts/model/weights.bin")


async def test_points_that_a_fork_shows_stay_when_their_run_goes(
    client: Client, registry: Client
) -> None:
    first = await new_run(client)
    await log(client, first, line("m", range(10)))
    second = (await fork(client, first, step=6))["run_id"]
    await log(client, second, line("m", range(7, 10), 100))
    third = (await fork(client, second, step=8))["run_id"]
    await log(client, third, line("m", [9], 1000))
    shown = {run_id: await points_of(client, run_id, "m") for run_id in (second, third)}
    await client.post("runs/delete", {"run_id": first})
    assert (await collected(client))["points"] == 3
    assert {run_id: await points_of(client, run_id, "m") for run_id in shown} == shown
    await client.post("runs/delete", {"run_id": second})
    assert (await collected(client))["points"] == 1
    assert await points_of(client, third, "m") == shown[third]
    await client.post("runs/delete", {"run_id": third})
    assert (await collected(client))["points"] == 7 + 2 + 1
    counted = await rows(client)
    gone = ("metric_points", "metric_segments", "leftover_points")
    assert [counted[table] for table in gone] == [0, 0, 0]


async def test_removals_are_told(
    client: Client, registry: Client, platform_environment: dict[str, str]
) -> None:
    run_id = await full_run(client, "0")
    await client.post("runs/delete", {"run_id": run_id})
    await collected(client)
    relay = await asyncpg.connect(platform_environment["TRACKING_RELAY_DATABASE_URL"])
    try:
        told = await relay.fetch(
            "SELECT type FROM tracking.outbox WHERE key = $1 AND topic = 'tracking.run.v1'"
            " ORDER BY seq",
            run_id,
        )
    finally:
        await relay.close()
    types = [row["type"].rpartition(".")[2] for row in told]
    assert types[-3:] == ["deleted", "condemned", "removed"]

    async def forgotten() -> bool:
        async with registry.running.database.reading(client.tenant.number) as connection:
            count = await connection.fetchval(
                "SELECT count(*) FROM known_runs WHERE tenant_no = $1", client.tenant.number
            )
        return bool(count == 0)

    await eventually(forgotten, within=30)
