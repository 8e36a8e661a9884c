"""`python -m tests.load.big_artifact --gigabytes N`: one large file up and down, both ways cut once.

Up in parts through the gateway, a part of which is cut midway and sent again; down until the half,
where the connection is cut, and on from there by Range and If-Range. Prints the seconds of each step,
the largest resident memory of every service process, and whether the checksums are equal.
"""

import argparse
import asyncio
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp
import psutil

from libs.embedded import Progress, platform
from tests.deployments import Deployment, deployed
from tests.object_servers import s3_server

MIB: Final = 1024 * 1024
API: Final = "/api/2.0"
AT_ONCE: Final = 2
LOOK_SECONDS: Final = 0.1


class CutError(Exception):
    """The connection is cut here, on purpose."""


def block(number: int) -> bytes:
    """A mebibyte that no other is like."""
    return hashlib.sha256(number.to_bytes(8)).digest() * (MIB // 32)


@dataclass
class Memory:
    """The largest resident memory of each process that was seen."""

    pids: list[int]
    peaks: dict[int, int] = field(default_factory=dict)

    async def watch(self) -> None:
        """Look at all of them again and again, until cancelled."""
        processes = [psutil.Process(pid) for pid in self.pids]
        while True:
            for process in processes:
                held = process.memory_info().rss
                self.peaks[process.pid] = max(held, self.peaks.get(process.pid, 0))
            await asyncio.sleep(LOOK_SECONDS)


@dataclass
class Transfer:
    """A file of so many blocks, on its way through a gateway."""

    session: aiohttp.ClientSession
    url: str
    blocks: int
    part_blocks: int
    place: str = ""
    upload_id: str = ""

    async def begin(self) -> list[dict[str, Any]]:
        """A run, and an upload to it in parts; where each goes."""
        body = {"experiment_id": "0", "start_time": 1}
        made = await self._asked("POST", f"{API}/mlflow/runs/create", body)
        self.place = f"0/{made['run']['info']['run_id']}/artifacts"
        parts = -(-self.blocks // self.part_blocks)
        begun = await self._step("create", num_parts=parts)
        self.upload_id = begun["upload_id"]
        told: list[dict[str, Any]] = begun["credentials"]
        return told

    async def upload(self, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Send all parts, a few at once; the one in the middle is cut first."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(number: int, credential: dict[str, Any]) -> dict[str, Any]:
            async with turns:
                if number == len(told) // 2:
                    try:
                        await self._put(number, credential, cut=True)
                    except (aiohttp.ClientError, CutError):
                        print(f"part {number + 1} was cut midway, and is sent again")
                tag = await self._put(number, credential)
                return {"part_number": number + 1, "etag": tag}

        return await asyncio.gather(*(one(*pair) for pair in enumerate(told)))

    async def complete(self, parts: list[dict[str, Any]]) -> None:
        """Have the parts put together, asking again while that takes."""
        while await self._step("complete", upload_id=self.upload_id, parts=parts) is None:
            await asyncio.sleep(1)

    async def download(self) -> str:
        """Read the file, cut in its half; the SHA-256 of what came."""
        digest, taken, tag = hashlib.sha256(), 0, ""
        half = self.blocks * MIB // 2
        target = f"{self.url}{API}/mlflow-artifacts/artifacts/{self.place}/big.bin"
        while taken < self.blocks * MIB:
            headers = {"Range": f"bytes={taken}-", "If-Range": tag} if taken else {}
            async with self.session.get(target, headers=headers) as reply:
                assert reply.status == (206 if taken else 200), reply.status
                tag = reply.headers["ETag"]
                async for chunk in reply.content.iter_chunked(MIB):
                    digest.update(chunk)
                    taken += len(chunk)
                    if not headers and taken >= half:
                        print(f"the download was cut after {taken} bytes, and goes on there")
                        break
        assert taken == self.blocks * MIB
        assert tag == f'"{digest.hexdigest()}"', "the ETag is not the SHA-256 of what came"
        return digest.hexdigest()

    def expected(self) -> str:
        """The SHA-256 of what is sent."""
        digest = hashlib.sha256()
        for number in range(self.blocks):
            digest.update(block(number))
        return digest.hexdigest()

    async def _put(self, number: int, credential: dict[str, Any], *, cut: bool = False) -> str:
        first = number * self.part_blocks
        count = min(self.part_blocks, self.blocks - first)

        async def body() -> AsyncIterator[bytes]:
            for at in range(count):
                if cut and at >= count // 2:
                    raise CutError
                yield block(first + at)

        length = {"Content-Length": str(count * MIB)}
        async with aiohttp.ClientSession() as stranger:
            headers = {**credential["headers"], **length}
            async with stranger.put(credential["url"], data=body(), headers=headers) as reply:
                assert reply.status == 200, await reply.text()
                return reply.headers["ETag"]

    async def _step(self, step: str, **body: object) -> Any:
        where = f"{API}/mlflow-artifacts/mpu/{step}/{self.place}"
        return await self._asked("POST", where, {"path": "big.bin", **body})

    async def _asked(self, method: str, path: str, body: object) -> Any:
        async with self.session.request(method, self.url + path, json=body) as reply:
            if reply.status == 503:
                return None
            assert reply.status == 200, await reply.text()
            return await reply.json()


async def moved(deployment: Deployment, gigabytes: float, part_mebibytes: int) -> bool:
    """Move a file up and down; whether it came back as it went."""
    memory = Memory(deployment.pids)
    watching = asyncio.create_task(memory.watch())
    headers = {"Authorization": f"Bearer {deployment.token}"}
    timeout = aiohttp.ClientTimeout(total=None, sock_read=120)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        blocks = max(2, int(gigabytes * 1024))
        transfer = Transfer(session, deployment.url, blocks, part_mebibytes)
        told = await transfer.begin()
        before = dict(memory.peaks)
        started = time.perf_counter()
        parts = await transfer.upload(told)
        sent = time.perf_counter()
        await transfer.complete(parts)
        composed = time.perf_counter()
        found = await transfer.download()
        done = time.perf_counter()
    watching.cancel()
    for what, seconds in (
        (f"upload of {blocks} MiB in {len(told)} parts", sent - started),
        ("putting together", composed - sent),
        ("download", done - composed),
    ):
        print(f"{what}: {seconds:.1f} s, {blocks / seconds:.0f} MiB/s")
    for pid, peak in memory.peaks.items():
        name = next(each.name for each in deployment.processes if each.pid == pid)
        held = before.get(pid, 0) / MIB
        print(f"{name}: at most {peak / MIB:.0f} MiB resident, {held:.0f} before")
    equal = found == transfer.expected()
    print(f"SHA-256 {found}: {'equal' if equal else 'NOT EQUAL'}")
    return equal


async def measured(arguments: argparse.Namespace) -> bool:
    """The whole platform, started for this alone."""
    given = {k: v for k, v in os.environ.items() if not k.startswith("MAESTRO_")}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=arguments.folder)))
        home = platform(folder / "home", {**given, "MAESTRO_PORT": "0"}, Progress(print))
        environment = (await stack.enter_async_context(home)).environment
        if arguments.store == "s3":
            server = await stack.enter_async_context(s3_server(folder / "s3"))
            environment = {**environment, **server.settings}
        running = deployed(environment, folder / "logs", separate=arguments.separate)
        deployment = await stack.enter_async_context(running)
        return await moved(deployment, arguments.gigabytes, arguments.part_mebibytes)


def main() -> None:
    """Read the arguments and run; ends with status 1 where the file did not come back whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--part-mebibytes", type=int, default=64)
    parser.add_argument("--store", choices=["folder", "s3"], default="folder")
    parser.add_argument("--separate", action="store_true", help="a process for each service")
    parser.add_argument("--folder", help="where everything lies meanwhile, three times the file")
    if not asyncio.run(measured(parser.parse_args())):
        sys.exit(1)


if __name__ == "__main__":
    main()
