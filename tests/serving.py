"""Services under test: prepared once a run, started in this process, asked over ASGI."""

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from libs.common.http.calling import Reply, call
from libs.common.http.types import ASGIApp
from libs.common.principal import PRINCIPAL_HEADER
from libs.common.runner import running
from libs.common.service import Running, Service
from services.steps import prepare
from tests.signing import Signer, Tenant

_numbers = itertools.count(1000)
_prepared: set[tuple[str, str]] = set()


def new_tenant() -> Tenant:
    """A tenant that no other test uses."""
    return Tenant(next(_numbers))


class Client:
    """Asks one service as one tenant."""

    def __init__(self, app: ASGIApp, value: Running, signer: Signer, tenant: Tenant) -> None:
        self.app = app
        self.running = value
        self.signer = signer
        self.tenant = tenant
        # What the principal claims besides: another subject, other scopes.
        self.claims: dict[str, Any] = {}

    def of(self, tenant: Tenant) -> "Client":
        """The same service as another tenant."""
        return Client(self.app, self.running, self.signer, tenant)

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: str = "",
        headers: Sequence[tuple[str, str]] = (),
        raw: bytes | None = None,
    ) -> Reply:
        """One request; `body` is encoded as JSON, `raw` is sent as it is."""
        principal = self.signer.principal(self.tenant, self.running.name, **self.claims)
        content = raw if raw is not None else b"" if body is None else msgspec.json.encode(body)
        return await call(
            self.app,
            method,
            path,
            headers=[(PRINCIPAL_HEADER, principal), ("content-type", "application/json"), *headers],
            query=query,
            body=content,
            timeout=30,
        )

    async def post(self, path: str, body: Any) -> Any:
        """POST to `/api/2.0/mlflow/<path>`; the decoded answer, which must be a success."""
        reply = await self.ask("POST", f"/api/2.0/mlflow/{path}", body)
        assert reply.status == 200, reply.body
        return msgspec.json.decode(reply.body)

    async def get(self, path: str, query: str = "") -> Any:
        """GET `/api/2.0/mlflow/<path>`; the decoded answer, which must be a success."""
        reply = await self.ask("GET", f"/api/2.0/mlflow/{path}", query=query)
        assert reply.status == 200, reply.body
        return msgspec.json.decode(reply.body)


async def prepared(services: Sequence[Service], environment: Mapping[str, str]) -> None:
    """Schemas, topics and rules of `services`, once a service and platform."""
    todo = [s for s in services if (s.name, environment["MAESTRO_POSTGRES_URL"]) not in _prepared]
    if todo:
        await prepare(todo, environment)
        _prepared.update((s.name, environment["MAESTRO_POSTGRES_URL"]) for s in todo)


@asynccontextmanager
async def served(
    service: Service,
    environment: Mapping[str, str],
    *,
    signer: Signer | None = None,
    peers: Mapping[str, ASGIApp] | None = None,
    tenant: Tenant | None = None,
) -> AsyncIterator[Client]:
    """`service`, prepared and running on the embedded parts, and a client of a fresh tenant.

    Its peer `auth` is the signer, unless `peers` names another.
    """
    key = signer or Signer()
    await prepared([service], environment)
    async with running(service, environment, {"auth": key, **(peers or {})}) as (value, app):
        yield Client(app, value, key, tenant or new_tenant())
