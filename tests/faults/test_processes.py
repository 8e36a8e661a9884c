"""Several processes at one port: all answer, one that dies is replaced, the end of one is all's."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiohttp
import psutil
import pytest_asyncio

from libs.embedded import Parts
from libs.embedded.process import Process
from tests.deployments import Deployment, answers, deployed, module_process
from tests.faults.test_deployment import Client
from tests.waiting import eventually

SEVERAL: Final = {"MAESTRO_PROCESSES": "2"}


@pytest_asyncio.fixture(loop_scope="session")
async def several(breakable: Parts, tmp_path: Path) -> AsyncIterator[Deployment]:
    """All services in each of two processes."""
    async with deployed({**breakable.environment, **SEVERAL}, tmp_path) as running:
        await eventually(lambda: len(children(running.processes[0])) == 2, within=30)
        yield running


def children(process: Process) -> list[psutil.Process]:
    """The processes that answer, the oldest first."""
    assert process.pid is not None
    found = psutil.Process(process.pid).children()
    return sorted(found, key=lambda child: child.create_time())


async def killed(child: psutil.Process) -> None:
    """End it at once, and wait until it is gone: a thread that still ends holds its connections."""
    child.kill()
    await eventually(lambda: not psutil.pid_exists(child.pid))


async def metric(deployment: Deployment, name: str, labels: str) -> dict[str, float]:
    """A metric's samples with such labels, by the number of the process."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{deployment.url}/metrics") as answer,
    ):
        page = await answer.text()
    sample = re.compile(rf'^{name}{{process="(\d)",[^}}]*{labels}[^}}]*}} (\S+)$', re.MULTILINE)
    found: dict[str, float] = {}
    for number, value in sample.findall(page):
        found[number] = found.get(number, 0.0) + float(value)
    return found


async def answered(deployment: Deployment) -> dict[str, float]:
    """How many runs were made, by the process that was asked for them."""
    return await metric(deployment, "maestro_http_requests_total", 'route="create_run"')


async def handled(deployment: Deployment) -> dict[str, float]:
    """How many facts the registry has handled."""
    return await metric(deployment, "maestro_messages_handled_total", 'group="registry')


async def make_runs(deployment: Deployment, count: int) -> None:
    """Make runs and read them back, each over a connection of its own."""
    for number in range(count):
        async with aiohttp.ClientSession() as session:
            await Client(deployment, session).write_and_read(number)


async def test_both_answer_and_see_what_either_wrote_and_one_consumes(several: Deployment) -> None:
    async def both() -> bool:
        await make_runs(several, 4)
        return len(await answered(several)) == 2

    await eventually(both, within=20)
    told = await eventually(lambda: handled(several), within=20)
    assert list(told) == ["0"]


async def test_one_that_dies_is_replaced_and_takes_up_its_work(several: Deployment) -> None:
    await make_runs(several, 1)
    await eventually(lambda: handled(several), within=20)
    first, second = children(several.processes[0])
    await killed(first)
    await make_runs(several, 4)

    async def replaced() -> bool:
        there = children(several.processes[0])
        return len(there) == 2 and there[0].pid == second.pid and bool(await handled(several))

    # Its place among the consumers is free when the broker has noticed.
    await eventually(replaced, within=45)
    await killed(second)
    await make_runs(several, 4)


async def test_asked_to_end_all_end(several: Deployment) -> None:
    (process,) = several.processes
    there = children(process)
    assert process.pid is not None
    psutil.Process(process.pid).send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.ended(), 30) == 0
    assert not any(child.is_running() for child in there)


async def test_killed_it_takes_all_with_it(several: Deployment) -> None:
    (process,) = several.processes
    there = children(process)
    process.kill()
    await eventually(lambda: not any(child.is_running() for child in there))
    assert not await answers(several.port, "/health")


async def test_what_cannot_start_says_so_once(breakable: Parts, tmp_path: Path) -> None:
    lacking = {**breakable.environment, **SEVERAL}
    del lacking["AUTH_DATABASE_URL"]
    process = module_process("services", lacking, tmp_path)
    process.spawn()
    assert await asyncio.wait_for(process.ended(), 30) == 1
    said = process.last_words(60).splitlines()
    assert [line for line in said if "Set AUTH_DATABASE_URL" in line] == [said[-1]]


async def test_a_taken_port_is_named(several: Deployment, tmp_path: Path) -> None:
    second = module_process("services", several.environment, tmp_path / "second")
    second.spawn()
    assert await asyncio.wait_for(second.ended(), 30) == 1
    port = several.environment["GATEWAY_PORT"]
    assert f"127.0.0.1:{port} cannot be had: Address already in use." in second.last_words()
