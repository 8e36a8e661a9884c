"""What is restored, or needed by a version, survives the collector, also where it was released."""

from services.tracking.commands.collecting import collect, condemn, remove
from tests.service.tracking.collecting import (
    collected,
    content_of,
    full_run,
    is_there,
    scope_of,
    states,
    unheard,
    upload,
    version_of,
)
from tests.service.tracking.making import new_experiment
from tests.service.tracking.owners import new_model
from tests.serving import Client
from tests.waiting import eventually


async def is_found(client: Client, experiment: str, model: str) -> bool:
    """Whether a logged model is read and found."""
    reply = await client.ask("GET", f"/api/2.0/mlflow/logged-models/{model}")
    body = {"experiment_ids": [experiment]}
    found = (await client.post("logged-models/search", body)).get("models", [])
    assert (reply.status == 200) == (model in [item["info"]["model_id"] for item in found])
    return reply.status == 200


async def test_a_restored_experiment_keeps_its_released_models(
    client: Client, registry: Client
) -> None:
    experiment = await new_experiment(client, "back")
    model = await new_model(client, experiment_id=experiment)
    path = f"{experiment}/models/{model}/artifacts/a"
    await upload(client, path, b"12345")
    before = await content_of(client, path)
    await client.post("experiments/delete", {"experiment_id": experiment})
    await condemn(client.running, scope_of(client))
    await eventually(lambda: states(client, "released"), within=30)
    await client.post("experiments/restore", {"experiment_id": experiment})
    assert not (await collect(client.running, scope_of(client))).anything
    assert await is_found(client, experiment, model)
    assert await content_of(client, path) == before
    await registry.post("registered-models/create", {"name": "m"})
    body = {"name": "m", "source": f"models:/{model}", "model_id": model}

    async def taken() -> bool:
        path = "/api/2.0/mlflow/model-versions/create"
        return (await registry.ask("POST", path, body)).status == 200

    await eventually(taken, within=30)
    await eventually(lambda: unheard(client), within=30)
    # Its old release does not count, whatever is deleted again.
    await client.post("experiments/delete", {"experiment_id": experiment})
    assert not (await collect(client.running, scope_of(client, None))).anything
    assert not (await collected(client))["logged_models"]
    assert await content_of(client, path) == before


async def test_a_released_model_of_an_experiment_that_is_back_is_no_garbage(
    client: Client, registry: Client
) -> None:
    """Even were it not told that it is back: it goes with its experiment alone."""
    experiment = await new_experiment(client, "back at once")
    model = await new_model(client, experiment_id=experiment)
    await client.post("experiments/delete", {"experiment_id": experiment})
    await condemn(client.running, scope_of(client))
    await eventually(lambda: states(client, "released"), within=30)
    async with client.running.database.transaction(client.tenant.number) as connection:
        await connection.execute(
            "UPDATE experiments SET lifecycle_stage = 'active'"
            " WHERE tenant_no = $1 AND experiment_id = $2",
            *(client.tenant.number, int(experiment)),
        )
    assert not (await remove(client.running, scope_of(client))).anything
    assert await is_found(client, experiment, model)


async def test_a_versions_model_is_read_when_its_deleted_experiment_is_back(
    client: Client, registry: Client
) -> None:
    """Whether the version was heard of here, or the registry alone knows it."""
    experiment = await new_experiment(client, "needed")
    heard, told = [await new_model(client, experiment_id=experiment) for _ in range(2)]
    await version_of(registry, f"models:/{told}", model_id=told)
    await eventually(lambda: unheard(client), within=30)
    body = {"name": "m", "source": f"models:/{heard}", "model_id": heard}
    await registry.post("model-versions/create", body)
    await client.post("experiments/delete", {"experiment_id": experiment})
    found = await collected(client)
    assert (found["logged_models"], found["experiments"]) == (0, 0)
    await client.post("experiments/restore", {"experiment_id": experiment})
    for model in (heard, told):
        assert await is_found(client, experiment, model)


async def test_a_release_from_before_a_restore_does_not_count(
    client: Client, registry: Client
) -> None:
    """A version may have been made since, of which nothing was heard yet."""
    run_id = await full_run(client, "0")
    await client.post("runs/delete", {"run_id": run_id})
    await condemn(client.running, scope_of(client))
    await eventually(lambda: states(client, "released"), within=30)
    await client.post("runs/restore", {"run_id": run_id})
    await registry.post("registered-models/create", {"name": "m"})
    body = {"name": "m", "source": f"runs:/{run_id}/model", "run_id": run_id}

    async def taken() -> bool:
        path = "/api/2.0/mlflow/model-versions/create"
        return (await registry.ask("POST", path, body)).status == 200

    await eventually(taken, within=30)
    await eventually(lambda: unheard(client), within=30)
    await client.post("runs/delete", {"run_id": run_id})
    assert not (await collect(client.running, scope_of(client, None))).anything
    assert await is_there(client, run_id)
