"""`make up` as a person sees it: what it prints, how it ends, and the commands beside it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from tests.waiting import eventually

COMMAND = (sys.executable, "-m", "libs.embedded")


class Terminal:
    """What `up` has printed so far, and its process."""

    def __init__(self, process: asyncio.subprocess.Process, output: Path) -> None:
        self.process = process
        self._output = output

    def shows(self, words: str) -> bool:
        """Whether the words were printed."""
        return words in self._output.read_text()

    def after(self, words: str) -> str:
        """The word printed after these."""
        return self._output.read_text().partition(words)[2].split()[0]


@asynccontextmanager
async def up(home: Path) -> AsyncIterator[Terminal]:
    """`up` on a folder, in a process group of its own, until it is ready; killed in the end."""
    home.parent.mkdir(exist_ok=True)
    output = home.parent / "output"
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "up", stdout=file, stderr=file, env=surroundings(home), start_new_session=True
        )
    terminal = Terminal(process, output)
    try:
        await eventually(lambda: terminal.shows("Ready after") or process.returncode, within=120)
        assert process.returncode is None, output.read_text()
        yield terminal
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def surroundings(home: Path) -> dict[str, str]:
    """The environment of someone who keeps the platform in `home`."""
    return {**os.environ, "MAESTRO_HOME": str(home), "MAESTRO_PORT": "0"}


async def asked(home: Path, *words: str) -> tuple[int, str, str]:
    """One of the other commands: exit status, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=surroundings(home),
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_up_is_ready_with_a_token_and_ends_cleanly(tmp_path: Path) -> None:
    home = tmp_path / "first" / "home"
    async with up(home) as terminal:
        token = terminal.after("Token ")
        url = terminal.after("URL ")
        assert (home / "secrets" / "first-token").read_text().strip() == token
        operator = home / "secrets" / "operator-token"
        assert terminal.shows(str(operator))
        secret = operator.read_text().strip()
        assert secret.startswith("mso_")
        assert not terminal.shows(secret)
        exports = f"export MLFLOW_TRACKING_URI={url}\nexport MLFLOW_TRACKING_TOKEN={token}\n"
        assert await asked(home, "env") == (0, exports, "")
        status, another, words = await asked(home, "token", "--name", "colleague")
        assert (status, words) == (0, "")
        assert another.strip() != token
        family = psutil.Process(terminal.process.pid).children(recursive=True)
        assert len(family) >= 4
        terminal.process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(terminal.process.wait(), 30) == 0
        assert terminal.shows("Stopping …\nStopped.")
        assert not [child for child in family if child.is_running()]
    status, _, words = await asked(home, "token")
    assert status == 1
    assert "No platform answers" in words


async def test_up_tells_when_the_services_end_and_stops_the_rest(tmp_path: Path) -> None:
    home = tmp_path / "second" / "home"
    async with up(home) as terminal:
        family = psutil.Process(terminal.process.pid).children(recursive=True)
        services = next(child for child in family if child.cmdline()[-2:] == ["-m", "services"])
        kafka = next(child for child in family if child.name() == "java")
        kafka.kill()
        await eventually(lambda: terminal.shows("Apache Kafka ended unexpectedly"), within=10)
        await eventually(lambda: java_again(terminal), within=60)
        services.kill()
        assert await asyncio.wait_for(terminal.process.wait(), 60) == 1
        assert terminal.shows("The services ended unexpectedly (status -9).")
        assert terminal.shows("services.log:")
        assert not [child for child in family if child.is_running()]


def java_again(terminal: Terminal) -> bool:
    """Whether Kafka was said to be ready twice."""
    return terminal.shows("starting it again.") and terminal.after("starting it again.") == "Apache"


async def test_the_other_commands_ask_for_a_platform_first(tmp_path: Path) -> None:
    for command in (["env"], ["token"], ["redrive"], ["republish", "tracking"]):
        status, out, words = await asked(tmp_path, *command)
        assert (status, out) == (1, "")
        assert "Start one with: make up" in words


async def test_every_command_explains_itself() -> None:
    for command in ([], ["up"], ["env"], ["token"]):
        status, out, _ = await asked(Path("absent"), *command, "--help")
        assert status == 0
        assert "usage: python -m libs.embedded" in out
