"""The shelf and the mirror, running together for the tests of one module."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.service.common.pair import Pair, running_pair


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def both(platform_environment: dict[str, str]) -> AsyncIterator[Pair]:
    """Both services on the shared platform."""
    async with running_pair(platform_environment) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def pair(both: Pair) -> Pair:
    """Both services, for a tenant of this test's own."""
    return both.fresh()
