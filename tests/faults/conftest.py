"""Parts that these tests may stop and kill, the services on them, and the table of kills."""

import logging
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from libs.embedded import Parts, Progress, platform
from services import service
from tests.faults.kills import Kills, table
from tests.faults.processes import Nursery, nursery
from tests.faults.witness import WITNESS, with_witness
from tests.listening import listening
from tests.serving import prepared
from tests.signing import Signer

KILLS = pytest.StashKey[list[Kills]]()
TABLE = Path(__file__).parents[2] / "docs" / "kill-table.md"


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


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the kill table; with MAESTRO_WRITE_DOCS=1 write it into the documents too."""
    rows = config.stash.get(KILLS, [])
    if not rows:
        return
    terminalreporter.section("kills")
    for line in table(rows):
        terminalreporter.write_line(line)
    if os.environ.get("MAESTRO_WRITE_DOCS") == "1":
        TABLE.write_text(document(rows), encoding="utf-8")


def document(rows: list[Kills]) -> str:
    """The kill table as a page of the documents."""
    return "\n".join(
        [
            "# Kill table",
            "",
            "The services' process sends itself SIGKILL at a named point while 16 clients write runs",
            "and experiments; it is started again, and at the end of a point's repeats all that was",
            "acknowledged is looked for: in tracking, in the registry's read model, and in the diary",
            "of a witness that notes every effect of every fact. Made by",
            "`FAULT_REPEATS=20 MAESTRO_WRITE_DOCS=1 make test ARGS=tests/faults/test_kills.py`.",
            "",
            *table(rows),
            "",
        ]
    )
