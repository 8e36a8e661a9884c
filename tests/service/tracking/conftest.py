"""A running tracking service, the registry beside it, and clients of tenants that nobody else uses."""

from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio

from libs.common.http.types import ASGIApp
from services.registry.service import SERVICE as REGISTRY
from services.tracking.service import SERVICE
from tests.service.registry.neighbours import Auth
from tests.serving import Client, new_tenant, prepared, served


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tracking(platform_environment: Mapping[str, str]) -> AsyncIterator[Client]:
    """The service, started once for the whole run."""
    async with served(SERVICE, platform_environment) as client:
        yield client


@pytest.fixture
def client(tracking: Client) -> Client:
    """A client of a fresh tenant."""
    return tracking.of(new_tenant())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def any_registry(
    tracking: Client, platform_environment: dict[str, str]
) -> AsyncIterator[Client]:
    """The registry of all tenants."""
    env = platform_environment
    auth = Auth(tracking.signer, env["REGISTRY_AUTH_CLIENT_SECRET"])
    peers: dict[str, ASGIApp] = {"auth": auth, "tracking": tracking.app}
    await prepared([REGISTRY], env)
    async with served(REGISTRY, env, signer=tracking.signer, peers=peers) as client:
        yield client


@pytest.fixture
def registry(any_registry: Client, client: Client) -> Client:
    """The registry of the tenant at hand."""
    return any_registry.of(client.tenant)
