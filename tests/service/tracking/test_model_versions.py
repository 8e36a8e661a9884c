"""The tag on a logged model that names the versions registered of it, kept by the registry's facts."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from libs.common.bus.link import Broker, open_producer
from libs.common.contracts import registry
from libs.common.contracts.registry import MODEL_VERSIONS, ModelVersion
from libs.common.events.envelope import headers
from libs.common.events.republish import republish
from libs.common.http.types import ASGIApp
from services.registry.service import SERVICE as REGISTRY
from services.tracking.model.logged_models import VERSIONS_TAG, versions_tag
from tests.service.registry.neighbours import Auth, know_tenant
from tests.service.tracking.owners import new_model, new_run
from tests.serving import Client, new_tenant, prepared, served
from tests.signing import Tenant
from tests.waiting import eventually

Tell = Callable[..., Awaitable[None]]


async def entries(client: Client, model_id: str) -> Any:
    """The versions that the tag names; None without the tag."""
    info = (await client.get(f"logged-models/{model_id}"))["model"]["info"]
    found = {tag["key"]: tag["value"] for tag in info.get("tags", [])}
    return json.loads(found[VERSIONS_TAG]) if VERSIONS_TAG in found else None


async def becomes(client: Client, model_id: str, expected: Any) -> None:
    async def reached() -> bool:
        return bool(await entries(client, model_id) == expected)

    await eventually(reached, within=30)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tell(platform_environment: dict[str, str]) -> AsyncIterator[Tell]:
    """Publishes a fact as the registry does, for tests that need late, doubled or foreign ones."""
    env = platform_environment
    await prepared([REGISTRY], env)
    broker = Broker(
        env["MAESTRO_KAFKA_BOOTSTRAP"],
        env["REGISTRY_KAFKA_USERNAME"],
        env["REGISTRY_KAFKA_PASSWORD"],
        "stand-in",
    )
    async with open_producer(broker) as producer:

        async def publish(tenant: Tenant, fact: Any, event_id: uuid.UUID | None = None) -> None:
            async def sent() -> bool:
                future = await producer.publish(
                    MODEL_VERSIONS.name,
                    f"{tenant.id}/{MODEL_VERSIONS.key(fact)}".encode(),
                    msgspec.json.encode(fact),
                    headers(
                        event_id=event_id or uuid.uuid4(),
                        type_name=MODEL_VERSIONS.type_of(type(fact)),
                        service="registry",
                        key=MODEL_VERSIONS.key(fact),
                        tenant=tenant.id,
                        tenant_no=tenant.number,
                        subject="tester",
                        version=fact.version,
                        time="2026-01-01T00:00:00+00:00",
                        traceparent="",
                    ),
                )
                await future
                return True

            await eventually(sent, within=20)

        yield publish


def version(name: str, number: int, model_id: str) -> ModelVersion:
    return ModelVersion(
        name=name,
        number=number,
        workspace_id=1,
        stage="None",
        status="READY",
        source="mlflow-artifacts:/0/x/artifacts",
        model_id=model_id,
    )


def created(name: str, number: int, model_id: str, count: int = 1) -> Any:
    return registry.ModelVersionCreated(
        version=count, model_version=version(name, number, model_id)
    )


def deleted(name: str, number: int, model_id: str, count: int) -> Any:
    return registry.ModelVersionDeleted(
        version=count, model_version=version(name, number, model_id)
    )


@asynccontextmanager
async def registry_of(client: Client, env: dict[str, str], model_id: str) -> AsyncIterator[Client]:
    """The real registry, where two versions of `fraud` were made of the model."""
    auth = Auth(client.signer, env["REGISTRY_AUTH_CLIENT_SECRET"])
    peers: dict[str, ASGIApp] = {"auth": auth, "tracking": client.app}
    async with served(REGISTRY, env, signer=client.signer, peers=peers) as any_tenant:
        registered = any_tenant.of(client.tenant)
        uri = f"mlflow-artifacts:/0/models/{model_id}/artifacts"
        await registered.post("registered-models/create", {"name": "fraud"})
        body = {"name": "fraud", "source": uri, "model_id": model_id}
        for _ in range(2):
            await registered.post("model-versions/create", body)
        yield registered


async def test_registering_at_the_real_registry_tags_the_model(
    client: Client, tell: Tell, platform_environment: dict[str, str]
) -> None:
    model_id = await new_model(client)
    async with registry_of(client, platform_environment, model_id) as registered:
        first, second = ({"name": "fraud", "version": number} for number in (1, 2))
        await becomes(client, model_id, [first, second])
        gone = {"name": "fraud", "version": "1"}
        await registered.ask("DELETE", "/api/2.0/mlflow/model-versions/delete", gone)
        await becomes(client, model_id, [second])
        await registered.ask(
            "DELETE", "/api/2.0/mlflow/registered-models/delete", {"name": "fraud"}
        )
        await becomes(client, model_id, None)


async def test_a_renamed_model_is_named_as_it_is_called_now(
    client: Client, tell: Tell, platform_environment: dict[str, str]
) -> None:
    model_id = await new_model(client)
    async with registry_of(client, platform_environment, model_id) as registered:
        old = [{"name": "fraud", "version": number} for number in (1, 2)]
        await becomes(client, model_id, old)
        names = {"name": "fraud", "new_name": "theft"}
        await registered.post("registered-models/rename", names)
        new = [{"name": "theft", "version": number} for number in (1, 2)]
        await becomes(client, model_id, new)
        await registered.ask(
            "DELETE", "/api/2.0/mlflow/registered-models/delete", {"name": "theft"}
        )
        await becomes(client, model_id, None)


async def test_snapshots_after_a_rename_build_what_was_there(
    client: Client, tell: Tell, platform_environment: dict[str, str]
) -> None:
    env, model_id = platform_environment, await new_model(client)
    async with registry_of(client, env, model_id) as registered:
        names = {"name": "fraud", "new_name": "theft"}
        await registered.post("registered-models/rename", names)
        new = [{"name": "theft", "version": number} for number in (1, 2)]
        await becomes(client, model_id, new)
        live = await standing(client)
        assert [row[0] for row in live] == ["theft", "theft"]
        admin = await asyncpg.connect(env["MAESTRO_POSTGRES_URL"])
        try:
            await admin.execute(
                "DELETE FROM tracking.model_versions WHERE tenant_no = $1", client.tenant.number
            )
        finally:
            await admin.close()
        await know_tenant(registered)
        await republish(registered.running)

        async def rebuilt() -> bool:
            return await standing(client) == live

        await eventually(rebuilt, within=30)
        assert await entries(client, model_id) == new


async def standing(client: Client) -> list[tuple[Any, ...]]:
    """The versions of the tenant's models that tracking takes for existing."""
    async with client.running.database.reading(client.tenant.number) as connection:
        rows = await connection.fetch(
            "SELECT name, number, model_id, version FROM model_versions"
            " WHERE tenant_no = $1 AND NOT gone ORDER BY name, number",
            client.tenant.number,
        )
    return [tuple(row) for row in rows]


async def test_late_doubled_and_older_facts_do_no_harm(client: Client, tell: Tell) -> None:
    model_id, tenant = await new_model(client), client.tenant
    again, first = uuid.uuid4(), {"name": "n", "version": 1}
    for _ in range(2):
        await tell(tenant, created("n", 1, model_id, 3), again)
    await becomes(client, model_id, [first])
    await tell(tenant, deleted("n", 1, model_id, 4))
    await becomes(client, model_id, None)
    await tell(tenant, created("n", 1, model_id, 3))  # redriven after the version was deleted
    await tell(tenant, created("n", 2, model_id))  # comes after it: the same key
    await becomes(client, model_id, [{"name": "n", "version": 2}])
    last = registry.ModelVersionSnapshot(version=2, model_version=version("n", 2, model_id))
    await tell(tenant, last)
    await tell(tenant, created("n", 3, model_id))
    await becomes(client, model_id, [{"name": "n", "version": number} for number in (2, 3)])


async def test_what_the_stock_client_writes_beside_it_is_not_doubled(
    client: Client, tell: Tell
) -> None:
    model_id, path = await new_model(client), "/api/2.0/mlflow/logged-models"

    async def client_writes(*written: object) -> None:
        tag = {"key": VERSIONS_TAG, "value": json.dumps(written)}
        await client.ask("PATCH", f"{path}/{model_id}/tags", {"tags": [tag]})

    # The client is first.
    await client_writes({"name": "n", "version": "1"})
    await tell(client.tenant, created("n", 1, model_id))
    await tell(client.tenant, created("n", 2, model_id))
    expected = [{"name": "n", "version": "1"}, {"name": "n", "version": 2}]
    await becomes(client, model_id, expected)
    # The client saw the entry and adds its own to it, as it does.
    await client_writes(*expected, {"name": "n", "version": "2"})
    assert await entries(client, model_id) == expected
    # The client read before the second was there, and would write over it.
    await client_writes({"name": "n", "version": "1"})
    assert await entries(client, model_id) == expected
    await tell(client.tenant, deleted("n", 1, model_id, 2))
    await becomes(client, model_id, expected[1:])


async def test_a_fact_of_another_tenant_or_of_no_model_leaves_no_tag(
    client: Client, tell: Tell
) -> None:
    model_id, run_id = await new_model(client), await new_run(client)
    await tell(new_tenant(), created("n", 1, model_id))
    for strange in ("", run_id, "m-x", f"m-{'0' * 32}"):
        await tell(client.tenant, created("n", 1, strange))
    await tell(client.tenant, created("n", 2, model_id))
    await becomes(client, model_id, [{"name": "n", "version": 2}])


async def test_versions_registered_at_once_are_all_named(client: Client, tell: Tell) -> None:
    model_id = await new_model(client)
    names = [f"n{number}" for number in range(12)]  # keys on several partitions
    await asyncio.gather(*(tell(client.tenant, created(name, 1, model_id)) for name in names))

    async def all_named() -> bool:
        found = await entries(client, model_id) or []
        return sorted(entry["name"] for entry in found) == sorted(names)

    await eventually(all_named, within=30)


@pytest.mark.parametrize("value", ["no json", '{"name": "n"}', '["n"]', '[{"name": 1}]', "[[" * 9])
def test_a_tag_of_another_form_is_kept(value: str) -> None:
    assert versions_tag(value, {("n", 1): True}) == value
