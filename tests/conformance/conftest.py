"""Both servers, started side by side on the parts of the run."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.conformance.servers import Pair, compared
from tests.load.peer import one_worker


# No longer than its tests: its platform hears the same topics as the services of other tests.
@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def pair(
    platform_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Pair]:
    """`mlflow server` and the whole platform, each on a database of its own."""
    folder = tmp_path_factory.mktemp("conformance")
    url = platform_environment["MAESTRO_POSTGRES_URL"]
    async with (
        one_worker(url, folder / "peer") as peer,
        compared(platform_environment, peer, folder) as both,
    ):
        yield both
