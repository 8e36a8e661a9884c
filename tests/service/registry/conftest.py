"""The registry, running once for all tests of this folder."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio

from libs.common.bus.link import Broker, open_producer
from libs.common.contracts.auth import AccessRule
from libs.common.contracts.tracking import LOGGED_MODELS, RUNS, LoggedModelCreated, RunCreated
from libs.common.http.types import ASGIApp
from services.registry.service import SERVICE
from services.steps import prepare
from tests.service.registry.neighbours import PRODUCERS, Auth, Tracking
from tests.serving import Client, new_tenant, served
from tests.signing import Signer, Tenant, access_by

_FACTS = """
SELECT type, key, version, payload FROM registry.outbox WHERE tenant_no = $1 ORDER BY seq
"""


@dataclass
class Fact:
    """A fact as the outbox holds it."""

    type: str
    key: str
    version: int
    content: dict[str, Any]


class Registry(Client):
    """Asks the registry as one tenant, which has runs and logged models in tracking."""

    auth: Auth
    tracking: Tracking
    admin_url: str
    first_runs: dict[int, str]

    async def status(self, method: str, path: str, body: Any = None, query: str = "") -> int:
        """The status of an answer."""
        return (await self.error(method, path, body, query))[0]

    async def error(
        self, method: str, path: str, body: Any = None, query: str = ""
    ) -> tuple[int, str, str]:
        """Status, code and message of an answer; the last two are empty on success."""
        reply = await self.ask(method, f"/api/2.0/mlflow/{path}", body, query=query)
        content = msgspec.json.decode(reply.body)
        return reply.status, content.get("error_code", ""), content.get("message", "")

    async def send(self, method: str, path: str, body: Any) -> Any:
        """PATCH or DELETE `/api/2.0/mlflow/<path>`; the decoded answer, which must be a success."""
        reply = await self.ask(method, f"/api/2.0/mlflow/{path}", body)
        assert reply.status == 200, reply.body
        return msgspec.json.decode(reply.body)

    async def model(self, name: str, **fields: Any) -> Any:
        """A registered model."""
        answer = await self.post("registered-models/create", {"name": name, **fields})
        return answer["registered_model"]

    async def version(self, name: str, **fields: Any) -> Any:
        """A version of `name`; from the tenant's first run unless `source` says otherwise."""
        body = {"name": name, **fields}
        if "source" not in body:
            if self.tenant.number not in self.first_runs:
                self.first_runs[self.tenant.number] = await self.known_run()
            run_id = self.first_runs[self.tenant.number]
            body |= {"source": f"runs:/{run_id}/model", "run_id": run_id}
        return (await self.post("model-versions/create", body))["model_version"]

    async def known_run(self, tenant: Tenant | None = None) -> str:
        """The id of a run whose fact was told; the registry may not have heard it yet."""
        owner = tenant or self.tenant
        run = self.tracking.run(owner)
        await self.tracking.tell(owner, RUNS, RunCreated(version=1, run=run))
        return run.run_id

    async def known_model(self, source_run_id: str = "") -> str:
        """The id of a logged model whose fact was told; the registry may not have heard it yet."""
        model = self.tracking.logged_model(self.tenant, source_run_id)
        await self.tracking.tell(
            self.tenant, LOGGED_MODELS, LoggedModelCreated(version=1, model=model)
        )
        return model.model_id

    async def facts(self) -> list[Fact]:
        """Everything that was recorded for this tenant, in order."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            rows = await connection.fetch(_FACTS, self.tenant.number)
        finally:
            await connection.close()
        return [
            Fact(row["type"], row["key"], row["version"], msgspec.json.decode(row["payload"]))
            for row in rows
        ]

    def member(self, *rules: AccessRule, role: str = "", subject: str = "") -> "Registry":
        """The same registry as another member of the tenant, who has a role and rules."""
        subject = subject or f"user:{uuid.uuid4()}"
        self.signer.access[subject] = access_by(subject, role, *rules)
        found = _as_tenant(self, self.tenant)
        found.claims = {"sub": subject}
        return found

    @property
    def subject(self) -> str:
        """Whom this client asks for."""
        return str(self.claims.get("sub", "tester"))

    def another(self) -> "Registry":
        """The same registry as another tenant."""
        return _as_tenant(self, new_tenant())


def _as_tenant(client: Registry, tenant: Tenant) -> Registry:
    found = Registry(client.app, client.running, client.signer, tenant)
    found.auth, found.tracking = client.auth, client.tracking
    found.admin_url, found.first_runs = client.admin_url, client.first_runs
    return found


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def running_registry(platform_environment: dict[str, str]) -> AsyncIterator[Registry]:
    """The registry and its neighbours."""
    env = platform_environment
    await prepare([*PRODUCERS, SERVICE], env)
    signer = Signer()
    broker = Broker(
        env["MAESTRO_KAFKA_BOOTSTRAP"],
        env["TRACKING_KAFKA_USERNAME"],
        env["TRACKING_KAFKA_PASSWORD"],
        "stand-in",
    )
    async with open_producer(broker) as producer:
        auth = Auth(signer, env["REGISTRY_AUTH_CLIENT_SECRET"])
        tracking = Tracking(producer)
        peers: dict[str, ASGIApp] = {"auth": auth, "tracking": tracking}
        async with served(SERVICE, env, signer=signer, peers=peers) as client:
            found = Registry(client.app, client.running, signer, client.tenant)
            found.auth, found.tracking = auth, tracking
            found.admin_url, found.first_runs = env["MAESTRO_POSTGRES_URL"], {}
            yield found


@pytest.fixture
def registry(running_registry: Registry) -> Registry:
    """The registry as a tenant of its own."""
    return running_registry.another()
