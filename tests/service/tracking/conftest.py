"""A running tracking service, and clients of tenants that nobody else uses."""

from collections.abc import AsyncIterator, Mapping

import pytest
import pytest_asyncio

from services.tracking.service import SERVICE
from tests.serving import Client, new_tenant, served


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tracking(platform_environment: Mapping[str, str]) -> AsyncIterator[Client]:
    """The service, started once for the whole run."""
    async with served(SERVICE, platform_environment) as client:
        yield client


@pytest.fixture
def client(tracking: Client) -> Client:
    """A client of a fresh tenant."""
    return tracking.of(new_tenant())
