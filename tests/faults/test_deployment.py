"""A whole deployment: without Redis it is slower and never wrong; asked to end, it ends cleanly."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from libs.embedded import Parts
from libs.embedded.ports import HOST
from tests.deployments import Deployment, deployed
from tests.waiting import eventually

CLIENTS = 8


@pytest_asyncio.fixture(loop_scope="session")
async def deployment(breakable: Parts, tmp_path: Path) -> AsyncIterator[Deployment]:
    """All services and the gateway in one process, on parts that may be broken."""
    async with deployed(breakable.environment, tmp_path) as running:
        yield running


class Client:
    """One client of the gateway."""

    def __init__(self, deployment: Deployment, session: aiohttp.ClientSession) -> None:
        self._url = f"{deployment.url}/api/2.0/mlflow"
        self._session = session
        self._login = {"Authorization": f"Bearer {deployment.token}"}

    async def ask(self, method: str, path: str, **body: Any) -> Any:
        """The answer, which must be a success."""
        given: dict[str, Any] = {"params": body} if method == "GET" else {"json": body}
        async with self._session.request(
            method, f"{self._url}/{path}", headers=self._login, **given
        ) as reply:
            assert reply.status == 200, await reply.text()
            return await reply.json()

    async def write_and_read(self, value: float) -> None:
        """Log a metric to a new run and read the very same back."""
        made = await self.ask("POST", "runs/create", experiment_id="0", start_time=1)
        run_id = made["run"]["info"]["run_id"]
        await self.ask(
            "POST", "runs/log-metric", run_id=run_id, key="k", value=value, timestamp=1, step=1
        )
        read = await self.ask("GET", "runs/get", run_id=run_id)
        assert [m["value"] for m in read["run"]["data"]["metrics"]] == [value]


async def test_without_redis_every_answer_is_still_right(
    breakable: Parts, deployment: Deployment
) -> None:
    assert breakable.redis is not None
    async with aiohttp.ClientSession() as session:
        clients = [Client(deployment, session) for _ in range(CLIENTS)]

        async def all_work() -> None:
            await asyncio.gather(
                *(client.write_and_read(n + 0.5) for n, client in enumerate(clients))
            )

        await all_work()
        breakable.redis.kill()
        try:
            for _ in range(3):
                await all_work()
        finally:
            await breakable.redis.start()
        await all_work()


class Upload:
    """An upload through the gateway that a test sends piece by piece."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def begin(cls, deployment: Deployment, path: str) -> "Upload":
        """Open the connection and send the head."""
        reader, writer = await asyncio.open_connection(HOST, deployment.port)
        writer.write(
            f"PUT /api/2.0/mlflow-artifacts/artifacts/{path} HTTP/1.1\r\n"
            f"Host: {HOST}:{deployment.port}\r\nAuthorization: Bearer {deployment.token}\r\n"
            "Transfer-Encoding: chunked\r\n\r\n".encode()
        )
        return cls(reader, writer)

    async def send(self, part: bytes) -> None:
        """Send one piece; the empty one is the end."""
        self._writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        await self._writer.drain()

    async def answer(self) -> int:
        """The status that comes back."""
        line = await asyncio.wait_for(self._reader.readline(), 15)
        self._writer.close()
        return int(line.split()[1])


async def test_asked_to_end_it_finishes_what_is_open_takes_nothing_new_and_ends_cleanly(
    breakable: Parts, deployment: Deployment
) -> None:
    (process,) = deployment.processes
    assert process.pid is not None
    async with aiohttp.ClientSession() as session:
        made = await Client(deployment, session).ask(
            "POST", "runs/create", experiment_id="0", start_time=1
        )
    uri = made["run"]["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    upload = await Upload.begin(deployment, f"{uri}/slow.bin")
    await upload.send(b"x" * 100_000)
    await eventually(lambda: _at_work(deployment))

    os.kill(process.pid, signal.SIGTERM)
    await _refused(deployment)
    assert process.running
    await upload.send(b"y" * 100_000)
    await upload.send(b"")
    assert await upload.answer() == 200
    assert await asyncio.wait_for(process.ended(), 15) == 0

    sent = b"x" * 100_000 + b"y" * 100_000
    files = [file for file in (breakable.home.path / "artifacts").rglob("*") if file.is_file()]
    assert sent in [file.read_bytes() for file in files if file.stat().st_size == len(sent)]
    said = process.last_words(60)
    for line in said.splitlines():
        assert "Traceback" not in line
        assert '"level": "error"' not in line, json.dumps(line)


async def _at_work(deployment: Deployment) -> bool:
    """Whether the upload has come further than to the door."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{deployment.url}/metrics") as answer,
    ):
        page = await answer.text()
    return bool(
        re.search(r'^maestro_http_requests_open{[^}]*service="tracking"} 1.0$', page, re.MULTILINE)
    )


async def _refused(deployment: Deployment) -> None:
    deadline = asyncio.get_running_loop().time() + 10
    while asyncio.get_running_loop().time() < deadline:
        try:
            _, writer = await asyncio.open_connection(HOST, deployment.port)
        except ConnectionRefusedError:
            return
        writer.close()
        await asyncio.sleep(0.02)
    pytest.fail("new connections are still taken")
