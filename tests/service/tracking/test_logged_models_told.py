"""Logged models towards others: every change is told with its state, no tenant sees another's."""

import asyncio
from typing import Any

import asyncpg
import msgspec

from services.tracking.queries.snapshots import LOGGED_MODEL_SNAPSHOT
from tests.service.tracking.owners import NEVER, asked, new_model, tags
from tests.serving import Client, new_tenant


async def facts(client: Client, environment: dict[str, str]) -> list[tuple[str, int, Any]]:
    """What was told of the tenant's logged models: type, version, content."""
    connection = await asyncpg.connect(environment["MAESTRO_POSTGRES_URL"])
    try:
        rows = await connection.fetch(
            "SELECT type, version, payload FROM tracking.outbox"
            " WHERE tenant_no = $1 AND topic = 'tracking.logged-model.v1' ORDER BY seq",
            client.tenant.number,
        )
    finally:
        await connection.close()
    return [
        (row["type"].rpartition(".")[2], row["version"], msgspec.json.decode(row["payload"]))
        for row in rows
    ]


async def test_another_tenants_model_reads_as_a_missing_one(client: Client) -> None:
    model_id = await new_model(client, tags=[{"key": "a", "value": "1"}])
    other = client.of(new_tenant())
    await new_model(other)

    async def seen(named: str) -> list[tuple[int, str]]:
        pair = [{"key": "a", "value": "2"}]
        answers = [
            await asked(other, "GET", f"/{named}"),
            await asked(other, "GET", f"/{named}", query="allow_deleted=true"),
            await asked(other, "PATCH", f"/{named}", {"model_id": named, "status": 2}),
            await asked(other, "PATCH", f"/{named}/tags", {"tags": pair}),
            await asked(other, "DELETE", f"/{named}/tags/a"),
            await asked(other, "POST", f"/{named}/params", {"model_id": named, "params": pair}),
            await asked(other, "DELETE", f"/{named}"),
        ]
        return [(status, str(answer).replace(named, "ID")) for status, answer in answers]

    assert await seen(model_id) == await seen(NEVER)
    assert await tags(client, model_id) == {"a": "1"}
    found = await other.post("logged-models/search", {"experiment_ids": ["0"]})
    assert model_id not in [each["info"]["model_id"] for each in found["models"]]


async def test_every_change_is_told_with_the_models_state(
    client: Client, platform_environment: dict[str, str]
) -> None:
    model_id = await new_model(client, name="mod", tags=[{"key": "a", "value": "1"}])
    await asked(client, "PATCH", f"/{model_id}", {"model_id": model_id, "status": 2})
    await asked(client, "PATCH", f"/{model_id}/tags", {"tags": [{"key": "b", "value": "2"}]})
    await asked(client, "DELETE", f"/{model_id}/tags/a")
    params = {"model_id": model_id, "params": [{"key": "p", "value": "1"}]}
    await asked(client, "POST", f"/{model_id}/params", params)
    await asked(client, "DELETE", f"/{model_id}")
    await asked(client, "DELETE", f"/{model_id}")
    told = await facts(client, platform_environment)
    assert [(kind, version) for kind, version, _ in told] == [
        ("created", 1),
        *(("changed", version) for version in range(2, 6)),
        ("deleted", 6),
    ]
    assert [fact.get("tags") for _, _, fact in told[1:5]] == [
        {"a": "1"},
        {"a": "1", "b": "2"},
        {"b": "2"},
        {"b": "2"},
    ]
    assert told[0][2]["model"] == {
        "model_id": model_id,
        "workspace_id": 1,
        "experiment_id": "0",
        "name": "mod",
        "artifact_uri": f"mlflow-artifacts:/0/models/{model_id}/artifacts",
        "status": "PENDING",
        "model_type": "",
        "source_run_id": "",
        "lifecycle_stage": "active",
    }
    assert told[1][2]["model"]["status"] == "READY"
    assert told[-1][2]["model"]["lifecycle_stage"] == "deleted"


async def test_many_writers_of_one_model_lose_nothing(
    client: Client, platform_environment: dict[str, str]
) -> None:
    model_id = await new_model(client)
    written = {f"k{number}": str(number) for number in range(20)}
    done = await asyncio.gather(
        *(
            asked(client, "PATCH", f"/{model_id}/tags", {"tags": [{"key": key, "value": value}]})
            for key, value in written.items()
        )
    )
    assert {status for status, _ in done} == {200}
    assert await tags(client, model_id) == written
    told = await facts(client, platform_environment)
    assert [version for _, version, _ in told] == list(range(1, 22))
    assert told[-1][2]["tags"] == written


async def test_models_are_told_again_page_by_page_as_they_stand(
    client: Client, platform_environment: dict[str, str]
) -> None:
    ids = [await new_model(client, name=f"m{number}") for number in range(5)]
    await asked(client, "PATCH", f"/{ids[1]}", {"model_id": ids[1], "status": 2})
    await asked(client, "DELETE", f"/{ids[2]}")
    await new_model(client.of(new_tenant()))
    told: list[Any] = []
    tenant_no, last = client.tenant.number, ""
    async with client.running.database.reading(tenant_no) as connection:
        while rows := await connection.fetch(LOGGED_MODEL_SNAPSHOT.query, tenant_no, last, 2):
            told += [LOGGED_MODEL_SNAPSHOT.fact(row) for row in rows]
            last = str(rows[-1][0])
    live = {
        fact["model"]["model_id"]: fact for _, _, fact in await facts(client, platform_environment)
    }
    assert [msgspec.to_builtins(fact)["model"] for fact in told] == [live[i]["model"] for i in ids]
    assert [fact.version for fact in told] == [1, 2, 2, 1, 1]
