"""The embedded parts keep data, keep to themselves, and say clearly why they do not start."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from libs.embedded import Home, Parts, Problem, Progress, platform
from libs.embedded.parts import describe
from tests.system.clients import Note
from tests.waiting import eventually

ANYWHERE = {**os.environ, "MAESTRO_PORT": "0"}


async def start(home: Path, env: dict[str, str], progress: Progress) -> None:
    """Start a platform and stop it at once."""
    async with platform(home, env, progress):
        pass


@asynccontextmanager
async def held_elsewhere(home: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[int]]]:
    """A platform under a supervisor of its own: that process, and all process ids below it."""
    supervisor = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.system.hold_platform", str(home)),
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert supervisor.stdout is not None
        assert await asyncio.wait_for(supervisor.stdout.readline(), 120)
        family = psutil.Process(supervisor.pid).children(recursive=True)
        yield supervisor, [process.pid for process in family]
    finally:
        if supervisor.returncode is None:
            supervisor.kill()
        await supervisor.wait()


def living(pids: list[int]) -> list[int]:
    """Those that have neither ended nor become zombies."""
    found = []
    for pid in pids:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
        except psutil.NoSuchProcess:
            continue
    return found


async def test_a_restart_keeps_data_and_ports_beside_another_platform(
    parts: Parts, tmp_path: Path, progress: Progress
) -> None:
    note = Note("restarted", "kept")
    async with platform(tmp_path / "home", ANYWHERE, progress) as first:
        await note.write(first)
        before = first.environment
    async with platform(tmp_path / "home", ANYWHERE, progress) as second:
        assert second.environment == before
        assert await note.read(second) == {"postgres": "kept", "redis": "kept", "kafka": "kept"}
        assert not set(second.pids.values()) & set(parts.pids.values())
        assert (
            second.environment["MAESTRO_POSTGRES_URL"] != parts.environment["MAESTRO_POSTGRES_URL"]
        )


@pytest.mark.parametrize("victims", ["supervisor", "everything"])
async def test_sigkill_leaves_no_process_and_all_data(
    tmp_path: Path, progress: Progress, victims: str
) -> None:
    home = tmp_path / "home"
    note = Note("killed", "kept")
    async with held_elsewhere(home) as (supervisor, pids):
        await note.write(describe(Home(home), ANYWHERE, progress))
        for pid in [supervisor.pid, *(pids if victims == "everything" else [])]:
            os.kill(pid, signal.SIGKILL)
        await supervisor.wait()
        await eventually(lambda: not living(pids), within=10)
    async with platform(home, ANYWHERE, progress) as again:
        assert await note.read(again) == {"postgres": "kept", "redis": "kept", "kafka": "kept"}


async def test_each_part_can_be_killed_and_started_alone(
    tmp_path: Path, progress: Progress
) -> None:
    note = Note("parts", "kept")
    async with platform(tmp_path / "home", ANYWHERE, progress) as running:
        await note.write(running)
        for part in running.started:
            part.kill()
            assert part.pid is None
            await part.start()
            await part.stop()
            assert part.pid is None
            await part.start()
        assert await note.read(running) == {"postgres": "kept", "redis": "kept", "kafka": "kept"}


async def test_a_second_start_names_the_process_that_holds_the_folder(
    parts: Parts, progress: Progress
) -> None:
    with pytest.raises(Problem, match=rf"already runs on .*process {os.getpid()}.*MAESTRO_HOME"):
        await start(parts.home.path, ANYWHERE, progress)


async def test_a_newer_folder_is_refused_and_left_alone(tmp_path: Path, progress: Progress) -> None:
    (tmp_path / "version").write_text("99\n")
    with pytest.raises(Problem, match=r"newer version of Maestro ML \(layout 99"):
        await start(tmp_path, ANYWHERE, progress)
    assert {file.name for file in tmp_path.iterdir()} == {"version", "lock"}


async def test_a_taken_port_is_named_with_who_holds_it(tmp_path: Path, progress: Progress) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        port = squatter.getsockname()[1]
        expected = rf"Port {port} .* process {os.getpid()} .*MAESTRO_PORT=…"
        with pytest.raises(Problem, match=expected):
            await start(tmp_path, {**ANYWHERE, "MAESTRO_PORT": str(port)}, progress)


async def test_everything_in_the_folder_is_closed_to_others(parts: Parts) -> None:
    assert parts.home.path.stat().st_mode & 0o777 == 0o700
    secrets = parts.home.path / "secrets"
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in secrets.iterdir()} == {0o600}


async def test_no_password_stands_on_a_command_line(parts: Parts) -> None:
    words = []
    for pid in parts.pids.values():
        words += psutil.Process(pid).cmdline()
    secrets = [file.read_text().strip() for file in (parts.home.path / "secrets").iterdir()]
    assert not [word for word in words for secret in secrets if secret in word]
