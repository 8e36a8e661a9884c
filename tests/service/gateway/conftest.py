"""The gateway over a running auth and two stand-ins that tell what reaches them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.service.auth.installation import Auth, fresh_database, started
from tests.service.gateway.front import Front, opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def auth(
    platform_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Auth]:
    """A running auth, on a database of its own."""
    folder = tmp_path_factory.mktemp("gateway")
    async with (
        fresh_database(platform_environment, folder) as environment,
        started(environment) as found,
    ):
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def front(auth: Auth) -> AsyncIterator[Front]:
    """The gateway, hearing the broadcast."""
    async with opened(auth) as found:
        yield found
