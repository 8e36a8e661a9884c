"""Workspaces at auth: deleted in three ways, entered by nobody from then on, gone when cleared."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from libs.common.bus.link import Broker, open_producer
from libs.common.contracts import registry, tracking
from libs.common.events.envelope import headers
from libs.common.workspaces import Contents
from services.auth.commands import workspaces as deletion
from services.auth.model.secrets import new_secret
from services.auth.store.identity import add_token
from tests.service.auth.colleagues import grant, join
from tests.service.auth.installation import Auth
from tests.service.auth.workspace_asking import Owner, ask, names, new_token_of, rows, told
from tests.waiting import eventually


@pytest.fixture
def owners(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> dict[str, Owner]:
    """Both owners, which hold nothing and never confirm; deletions do not wait for them."""
    found = {
        "tracking": Owner("tracking", auth, "experiments"),
        "registry": Owner("registry", auth, "registered_models"),
    }
    monkeypatch.setattr(deletion, "CLEARED_WITHIN_SECONDS", 0.0)
    for name, owner in found.items():
        monkeypatch.setitem(auth.running.peers, name, owner)
    return found


async def test_restrict_refuses_while_something_is_held(
    auth: Auth, owners: dict[str, Owner]
) -> None:
    await ask(auth, "POST", body={"name": "held"})
    owners["registry"].contents = Contents("registered_models", 3)
    status, code, message = told(await ask(auth, "DELETE", "held"))
    assert (status, code) == (400, "INVALID_STATE")
    assert "table 'registered_models' still contains 3 resource(s)" in message
    asked = owners["registry"].callers[-1]
    assert (asked.workspace, asked.subject) == ("held", owners["tracking"].callers[-1].subject)
    owners["registry"].away = True
    assert (await ask(auth, "DELETE", "held")).status == 503
    owners["registry"].away = False
    owners["registry"].contents = Contents("registered_models", 0)
    assert (await ask(auth, "DELETE", "held")).status == 204
    assert "held" not in await names(auth)


async def test_moving_to_default_is_refused_where_names_clash(
    auth: Auth, owners: dict[str, Owner]
) -> None:
    await ask(auth, "POST", body={"name": "clashing"})
    owners["tracking"].contents = Contents("experiments", 2, ["churn"])
    status, code, message = told(await ask(auth, "DELETE", "clashing", query="mode=SET_DEFAULT"))
    assert (status, code) == (400, "INVALID_STATE")
    assert "  - experiments: 'churn'\nRename or remove the conflicting resources" in message
    owners["tracking"].contents = Contents("experiments", 2)
    assert (await ask(auth, "DELETE", "clashing", query="mode=SET_DEFAULT")).status == 204


async def test_a_deletion_takes_what_it_does_to_the_contents(
    auth: Auth, owners: dict[str, Owner]
) -> None:
    """Moving leaves denials behind and comes to a place with a rule of names of its own."""
    await ask(auth, "POST", body={"name": "guarded"})
    number = (await rows(auth))["guarded"]["workspace_id"]
    owner, keeper = await join(auth, "owner"), await join(auth, None)
    there = {"kind": "workspace", "workspace_id": number}
    await grant(owner, keeper, **there, permissions=["workspace.read", "workspace.manage"])
    lacks = {
        "RESTRICT": ("experiment.read", "model.manage", "experiment.create", "model.register"),
        "SET_DEFAULT": ("run.read", "experiment.manage", "experiment.create", "model.register"),
        "CASCADE": ("experiment.delete", "model.delete"),
    }
    for mode, missing in lacks.items():
        reply = await ask(auth, "DELETE", "guarded", query=f"mode={mode}", token=keeper.token)
        status, code, message = told(reply)
        assert (status, code) == (403, "PERMISSION_DENIED")
        for permission in missing:
            place = "default" if permission in missing[2:] else "guarded"
            assert f"{permission} on all of workspace '{place}'" in message

    denied = await join(auth, "admin")
    secret = {"kind": "experiment", "workspace_id": number, "pattern": "secret/*"}
    await grant(owner, denied, effect="deny", **secret, permissions=["run.read"])
    for mode in ("RESTRICT", "SET_DEFAULT"):
        reply = await ask(auth, "DELETE", "guarded", query=f"mode={mode}", token=denied.token)
        assert "takes run.read on all of workspace 'guarded', with nothing" in told(reply)[2]
    await grant(owner, denied, effect="deny", **secret, permissions=["experiment.delete"])
    reply = await ask(auth, "DELETE", "guarded", query="mode=CASCADE", token=denied.token)
    assert "takes experiment.delete on all of workspace 'guarded'" in told(reply)[2]
    assert not owners["tracking"].callers

    await grant(owner, keeper, **there, role="admin")
    reply = await ask(auth, "DELETE", "guarded", query="mode=CASCADE", token=keeper.token)
    assert reply.status == 204


@asynccontextmanager
async def telling(auth: Auth, service: str) -> AsyncIterator[Any]:
    """A way to tell facts as another service does."""
    broker = Broker(
        auth.environment["MAESTRO_KAFKA_BOOTSTRAP"],
        service,
        auth.environment[f"{service.upper()}_KAFKA_PASSWORD"],
        f"test-{uuid4().hex}",
    )
    topic, fact = {
        "tracking": (tracking.WORKSPACES, tracking.WorkspaceCleared),
        "registry": (registry.WORKSPACES, registry.WorkspaceCleared),
    }[service]
    async with open_producer(broker) as producer:

        async def tell(workspace_id: int) -> None:
            sent = headers(
                event_id=uuid4(),
                type_name=topic.type_of(fact),
                service=service,
                key=str(workspace_id),
                tenant=str(uuid4()),
                tenant_no=1,
                subject="user:somebody",
                version=2,
                time="2026-01-02T03:04:05.678901+00:00",
                traceparent="",
            )
            value = msgspec.json.encode(fact(version=2, workspace_id=workspace_id))

            async def publish() -> bool:
                await (await producer.publish(topic.name, b"key", value, sent))
                return True

            await eventually(publish, within=20)

        yield tell


async def test_a_deleted_workspace_is_entered_by_nobody_and_gone_when_both_owners_say_so(
    auth: Auth, owners: dict[str, Owner]
) -> None:
    await ask(auth, "POST", body={"name": "leaving"})
    number = (await rows(auth))["leaving"]["workspace_id"]
    secret = new_secret()
    async with auth.running.database.transaction(1) as connection:
        user_id = await connection.fetchval("SELECT user_id FROM memberships WHERE role = 'owner'")
        await add_token(connection, 1, new_token_of(secret, user_id, number))
    assert (await auth.exchange(secret, "tracking")).status == 200

    assert (await ask(auth, "DELETE", "leaving", query="mode=CASCADE")).status == 204
    assert not owners["tracking"].callers  # what is there does not matter
    refused = await auth.exchange(auth.first_token, "tracking", workspace="leaving")
    assert refused.status == 400
    own = msgspec.json.decode((await auth.exchange(secret, "tracking")).body)
    assert own["error_description"].startswith("Workspace 'leaving' not found. It was this cred")
    assert (await auth.exchange(secret, "tracking", workspace="default")).status == 200
    assert told(await ask(auth, "DELETE", "leaving"))[0] == 404

    # The name is free at once, under another number.
    assert (await ask(auth, "POST", body={"name": "leaving"})).status == 201
    assert (await rows(auth))["leaving"]["workspace_id"] > number

    async def status() -> str:
        async with auth.running.database.reading(1) as connection:
            found: str = await connection.fetchval(
                "SELECT status FROM workspaces WHERE workspace_id = $1", number
            )
        return found

    async with telling(auth, "tracking") as tracking_tells, telling(auth, "registry") as tells:
        await tracking_tells(number)
        await tracking_tells(number)
        assert await status() == "deleting"
        await tells(number)

        async def gone() -> bool:
            return await status() == "deleted"

        await eventually(gone, within=30)
    facts = await _facts(auth, number)
    assert [(type_, state["status"]) for type_, state in facts] == [
        ("auth.workspace.created", "active"),
        ("auth.workspace.deleted", "deleting"),
        ("auth.workspace.changed", "deleted"),
    ]


async def _facts(auth: Auth, number: int) -> list[tuple[str, Any]]:
    connection = await asyncpg.connect(auth.environment["MAESTRO_POSTGRES_URL"])
    try:
        found = await connection.fetch(
            "SELECT type, payload FROM auth.outbox WHERE topic = 'auth.workspace.v1' AND key = $1"
            " ORDER BY seq",
            str(number),
        )
    finally:
        await connection.close()
    return [(row["type"], msgspec.json.decode(row["payload"])["workspace"]) for row in found]
