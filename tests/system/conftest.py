"""A platform for the user journeys: nobody was there before its first user."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from libs.embedded import Parts, Progress, platform
from tests.deployments import Deployment, deployed


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fresh_parts(
    tmp_path_factory: pytest.TempPathFactory, progress: Progress
) -> AsyncIterator[Parts]:
    """Embedded parts that no other test has touched."""
    home = tmp_path_factory.mktemp("fresh") / "home"
    async with platform(home, {**os.environ, "MAESTRO_PORT": "0"}, progress) as running:
        yield running


@pytest_asyncio.fixture(
    scope="module", loop_scope="session", params=[False, True], ids=["together", "separate"]
)
async def deployment(
    request: pytest.FixtureRequest, fresh_parts: Parts, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    """The services on fresh parts, all in one process or each in its own."""
    logs: Path = tmp_path_factory.mktemp("logs")
    async with deployed(fresh_parts.environment, logs, separate=request.param) as running:
        yield running
