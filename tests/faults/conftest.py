"""Parts that these tests may stop and kill, and the services on them."""

import logging
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from libs.embedded import Parts, Progress, platform
from services import service
from tests.faults.kills import Kills
from tests.faults.processes import Nursery, nursery
from tests.faults.report import KILLS
from tests.faults.witness import WITNESS, with_witness
from tests.listening import listening
from tests.serving import prepared
from tests.signing import Signer


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def breakable(
    tmp_path_factory: pytest.TempPathFactory, progress: Progress
) -> AsyncIterator[Parts]:
    """Parts that no other tests use."""
    home = tmp_path_factory.mktemp("breakable") / "home"
    async with platform(home, {**os.environ, "MAESTRO_PORT": "0"}, progress) as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def quiet() -> None:
    """Silence aiokafka, which reports each failed connection: hundreds while a broker is away."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Stage:
    """Where the services run under fault: parts, variables, and who signs for their callers."""

    parts: Parts
    environment: dict[str, str]
    nursery: Nursery
    signer: Signer

    @property
    def url(self) -> str:
        """Tracking's address."""
        return self.environment["TRACKING_URL"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(breakable: Parts, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Tracking, the registry and the witness, prepared and not started."""
    signer = Signer()
    log = tmp_path_factory.mktemp("nursery") / "services.log"
    async with listening(signer) as keys:
        env = {**with_witness(breakable.environment), "AUTH_URL": keys}
        await prepared([service("auth"), service("tracking"), service("registry"), WITNESS], env)
        async with nursery(env, log) as ready:
            yield Stage(breakable, env, ready, signer)


@pytest.fixture(scope="session")
def kills(request: pytest.FixtureRequest) -> list[Kills]:
    """The rows of the kill table, printed at the end of the run."""
    return request.config.stash.setdefault(KILLS, [])
