"""The whole platform with its people, for the matrix and for the breaches that must turn it red."""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from libs.embedded import Progress
from libs.embedded import platform as parts_in
from tests.security.hostile.target import Target, attacked
from tests.security.matrix.people import People, people_of
from tests.security.matrix.platform import Platform, platform_of_its_own


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def platform(
    platform_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Platform]:
    """Every service in this process, on a database of its own."""
    folder = tmp_path_factory.mktemp("matrix")
    async with platform_of_its_own(platform_environment, folder) as found:
        yield found


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def people(platform: Platform) -> People:
    """Two tenants with their people."""
    return await people_of(platform)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def target(
    tmp_path_factory: pytest.TempPathFactory, progress: Progress
) -> AsyncIterator[Target]:
    """A platform as processes of its own, on parts that nobody else uses."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "files").mkdir()
    async with (
        parts_in(folder / "home", {**os.environ, "MAESTRO_PORT": "0"}, progress) as parts,
        attacked(parts.environment, folder / "files") as found,
    ):
        yield found
