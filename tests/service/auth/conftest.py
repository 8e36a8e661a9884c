"""auth on a database of its own, for one module of tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.service.auth.installation import Auth, fresh_database, started


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def installation(
    platform_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, str]]:
    """The environment of an installation that has never started."""
    folder = tmp_path_factory.mktemp("auth")
    async with fresh_database(platform_environment, folder) as environment:
        yield environment


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def auth(installation: dict[str, str]) -> AsyncIterator[Auth]:
    """auth, running."""
    async with started(installation) as found:
        yield found
