"""What all tests share: the embedded parts, started once for the whole run."""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from libs.embedded import Parts, Progress, platform
from tests.object_servers import S3, s3_server

pytest_plugins = ("tests.faults.report",)


@pytest.fixture(scope="session")
def progress(request: pytest.FixtureRequest) -> Progress:
    """Lines to the terminal past pytest's capture, so that nobody stares at a silent start."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    reporter = request.config.pluginmanager.getplugin("terminalreporter")

    def say(text: str) -> None:
        if reporter is None:  # One of several workers: the terminal is not its own.
            return
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(text)

    return Progress(say)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def parts(
    tmp_path_factory: pytest.TempPathFactory, progress: Progress
) -> AsyncIterator[Parts]:
    """PostgreSQL, Redis and Kafka on a folder of their own, for the whole run."""
    home = tmp_path_factory.mktemp("parts") / "home"
    # The jars and the user's choice of real parts come from outside; the port never does.
    async with platform(home, {**os.environ, "MAESTRO_PORT": "0"}, progress) as running:
        yield running


@pytest.fixture(scope="session")
def platform_environment(parts: Parts) -> dict[str, str]:
    """Every variable that a service of the platform under test reads."""
    return parts.environment


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def s3(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[S3]:
    """An S3 server, started by the first test that asks for it."""
    async with s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running
