"""Workspaces in the registry: walls between them, and how a deleted one is cleared."""

from typing import Any

import msgspec

from libs.common.http.calling import Reply, call
from libs.common.principal import PRINCIPAL_HEADER
from libs.common.workspaces import CONTENTS_PATH
from tests.service.registry.conftest import Fact, Registry
from tests.waiting import eventually

TEAM = 7
SOURCE = {"source": "dummy-source", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]}
PROMPT = {"tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]}


async def ask(
    registry: Registry, method: str, path: str, body: object = None, query: str = ""
) -> Reply:
    """A request in the team's workspace."""
    principal = registry.signer.principal(
        registry.tenant, "registry", workspace_id=TEAM, workspace="team"
    )
    return await call(
        registry.app,
        method,
        path if path.startswith("/internal") else f"/api/2.0/mlflow/{path}",
        headers=[(PRINCIPAL_HEADER, principal), ("content-type", "application/json")],
        body=b"" if body is None else msgspec.json.encode(body),
        query=query,
    )


async def made(registry: Registry, *names: str) -> None:
    """Prompts with two versions each, in the team's workspace."""
    for name in names:
        reply = await ask(registry, "POST", "registered-models/create", {"name": name, **PROMPT})
        assert reply.status == 200, reply.body
        for _ in range(2):
            body = {"name": name, **SOURCE}
            reply = await ask(registry, "POST", "model-versions/create", body)
            assert reply.status == 200, reply.body


async def leaves(registry: Registry, mode: str) -> list[Fact]:
    """The workspace is deleted; the facts from then on, until it is told to be cleared."""
    before = len(await registry.facts())
    async with registry.running.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO leaving_workspaces (tenant_no, workspace_id, tenant, name, mode, subject,"
            " version) VALUES ($1, $2, $3::uuid, 'team', $4, 'user:deleter', 4)",
            *(registry.tenant.number, TEAM, registry.tenant.id, mode),
        )

    async def told() -> list[Fact]:
        facts = (await registry.facts())[before:]
        done = bool(facts) and facts[-1].type == "registry.workspace.cleared"
        return facts if done else []

    return await eventually(told, within=30)


def versions(facts: list[Fact], kind: str) -> list[tuple[int, str, int]]:
    """(workspace, name, number) of the versions that facts of a kind tell of."""
    states: list[dict[str, Any]] = [
        fact.content["model_version"] for fact in facts if fact.type.endswith(kind)
    ]
    return [(state["workspace_id"], state["name"], state["number"]) for state in states]


async def test_names_are_a_workspaces_own_and_its_contents_are_told(registry: Registry) -> None:
    await registry.model("both", **PROMPT)
    await made(registry, "both", "own")
    reply = await ask(registry, "GET", CONTENTS_PATH)
    assert msgspec.json.decode(reply.body) == {
        "kind": "registered_models",
        "count": 2,
        "clashes": ["both"],
    }
    assert await registry.status("GET", "registered-models/get", query="name=own") == 404


async def test_models_move_to_default_and_are_told_as_gone_where_they_were(
    registry: Registry,
) -> None:
    await registry.model("both", **PROMPT)
    await registry.model("former", **PROMPT)
    await registry.send("DELETE", "registered-models/delete", {"name": "former"})
    await made(registry, "both", "former")
    reply = await ask(
        registry,
        "POST",
        "registered-models/alias",
        {"name": "former", "alias": "live", "version": "2"},
    )
    assert reply.status == 200
    facts = await leaves(registry, "SET_DEFAULT")
    gone = [(TEAM, name, number) for name in ("both", "former") for number in (1, 2)]
    assert versions(facts, "model-version.deleted") == gone
    here = [(1, name, number) for name in ("both (from team)", "former") for number in (1, 2)]
    assert versions(facts, "model-version.changed") == here
    renamed = [fact for fact in facts if fact.type.endswith("registered-model.renamed")]
    assert [(f.content["former_name"], f.content["former_workspace_id"]) for f in renamed] == [
        ("both", TEAM),
        ("former", TEAM),
    ]
    # Above all that was ever told under that name, also of the model that was deleted.
    told = [fact.version for fact in await registry.facts() if fact.key == "former"]
    assert renamed[-1].version > max(told[:3])
    found = await registry.get("registered-models/alias", "name=former&alias=live")
    assert found["model_version"]["version"] == "2"
    assert (
        await registry.status("GET", "registered-models/get", query="name=both (from team)") == 200
    )
    assert (await ask(registry, "GET", "registered-models/get", query="name=former")).status == 404


async def test_a_cascade_deletes_them(registry: Registry) -> None:
    await made(registry, "one", "two")
    facts = await leaves(registry, "CASCADE")
    assert len(versions(facts, "model-version.deleted")) == 4
    kinds = [fact.type for fact in facts]
    assert kinds.count("registry.registered-model.deleted") == 2
    assert (await ask(registry, "GET", "registered-models/get", query="name=one")).status == 404
    reply = await ask(registry, "GET", CONTENTS_PATH)
    assert msgspec.json.decode(reply.body)["count"] == 0
