"""Tenants and workspaces do not see each other, and the tables would not show them if they tried."""

from typing import Any

import pytest

from tests.service.registry.conftest import Registry
from tests.serving import Client
from tests.signing import Signer, Tenant

REQUESTS = [
    ("GET", "registered-models/get", {}),
    ("GET", "registered-models/get-latest-versions", {}),
    ("POST", "registered-models/get-latest-versions", {}),
    ("GET", "registered-models/alias", {"alias": "best"}),
    ("GET", "registered-models/alias", {"alias": "latest"}),
    ("POST", "registered-models/rename", {"new_name": "mine"}),
    ("PATCH", "registered-models/update", {"description": "x"}),
    ("POST", "registered-models/set-tag", {"key": "k", "value": "v"}),
    ("DELETE", "registered-models/delete-tag", {"key": "k"}),
    ("POST", "registered-models/alias", {"alias": "mine", "version": "1"}),
    ("DELETE", "registered-models/alias", {"alias": "best"}),
    ("DELETE", "registered-models/delete", {}),
    ("GET", "model-versions/get", {"version": "1"}),
    ("GET", "model-versions/get-download-uri", {"version": "1"}),
    ("PATCH", "model-versions/update", {"version": "1", "description": "x"}),
    ("POST", "model-versions/set-tag", {"version": "1", "key": "k", "value": "v"}),
    ("DELETE", "model-versions/delete-tag", {"version": "1", "key": "k"}),
    ("POST", "model-versions/transition-stage", {"version": "1", "stage": "Staging"}),
    ("DELETE", "model-versions/delete", {"version": "1"}),
    ("POST", "model-versions/create", {"source": "models:/secret/1"}),
]


async def answer(client: Client, method: str, path: str, fields: dict[str, str], name: str) -> str:
    """Status and body of a request about `name`, with the name blotted out."""
    body = {"name": name, **fields}
    if "source" in body:
        body["source"] = f"models:/{name}/1"
    query = "&".join(f"{key}={value}" for key, value in body.items()) if method == "GET" else ""
    content = None if method == "GET" else body
    reply = await client.ask(method, f"/api/2.0/mlflow/{path}", content, query=query)
    return f"{reply.status} {reply.body.decode().replace(name, '…')}"


class WorkspaceSigner(Signer):
    """Signs principals of one workspace."""

    def __init__(self, signer: Signer, workspace_id: int) -> None:
        self.key, self.kid = signer.key, signer.kid
        self.workspace_id = workspace_id

    def principal(
        self, tenant: Tenant, audience: str, *, workspace_id: int = 0, **claims: Any
    ) -> str:
        """A signed principal in this signer's workspace."""
        workspace_id = workspace_id or self.workspace_id
        return super().principal(tenant, audience, workspace_id=workspace_id, **claims)


@pytest.fixture(params=["tenant", "workspace"])
def stranger(request: pytest.FixtureRequest, registry: Registry) -> Client:
    """Somebody else: of another tenant, or of another workspace of the same."""
    if request.param == "tenant":
        return registry.another()
    signer = WorkspaceSigner(registry.signer, 2)
    return Client(registry.app, registry.running, signer, registry.tenant)


async def test_a_strangers_name_answers_as_a_missing_one(
    registry: Registry, stranger: Client
) -> None:
    """Word for word, for every operation, and nothing of it has happened."""
    await registry.model("secret", tags=[{"key": "k", "value": "v"}])
    await registry.version("secret")
    await registry.post(
        "registered-models/alias", {"name": "secret", "alias": "best", "version": "1"}
    )
    before = await registry.get("registered-models/get", "name=secret")
    for method, path, fields in REQUESTS:
        theirs = await answer(stranger, method, path, fields, "secret")
        assert theirs == await answer(stranger, method, path, fields, "nobody")
        assert theirs.split()[0] in ("400", "404"), (path, theirs)
    assert await registry.get("registered-models/get", "name=secret") == before
    for path in ("registered-models/search", "model-versions/search"):
        assert await stranger.get(path) == {}


async def test_names_are_everybodys_own(registry: Registry, stranger: Client) -> None:
    """Two tenants, or workspaces, may both have a model of one name."""
    await registry.model("fraud", description="mine")
    await stranger.post("registered-models/create", {"name": "fraud", "description": "theirs"})
    mine = await registry.get("registered-models/get", "name=fraud")
    theirs = await stranger.get("registered-models/get", "name=fraud")
    assert mine["registered_model"]["description"] == "mine"
    assert theirs["registered_model"]["description"] == "theirs"


async def test_rows_show_themselves_to_their_tenant_only(registry: Registry) -> None:
    """Even to a query that forgot to name the tenant."""
    await registry.model("fraud", tags=[{"key": "k", "value": "v"}])
    await registry.version("fraud", tags=[{"key": "k", "value": "v"}])
    counts = """
        SELECT (SELECT count(*) FROM registered_models), (SELECT count(*) FROM model_versions),
               (SELECT count(*) FROM registered_model_tags), (SELECT count(*) FROM known_runs),
               (SELECT count(*) FROM model_version_tags), (SELECT count(*) FROM known_models)
    """
    database = registry.running.database
    for tenant_no in (None, registry.another().tenant.number):
        async with database.reading(tenant_no) as connection:
            row = await connection.fetchrow(counts)
        assert row is not None
        assert set(row) == {0}
