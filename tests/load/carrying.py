"""One large artifact up to a server and down again: bytes a second, and what memory that takes."""

import asyncio
import os
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

import aiohttp
import psutil

from tests.load.big_artifact import LOOK_SECONDS, MIB, Memory
from tests.load.operations import Site
from tests.load.sides import Side


@dataclass
class Carried:
    """All rounds of a side: seconds up and down, and by how much its processes grew at most."""

    megabytes: int
    up: list[float] = field(default_factory=list)
    down: list[float] = field(default_factory=list)
    grown: int = 0
    wrong: str = ""

    def rate(self, seconds: list[float]) -> float:
        """MB a second, the median of the rounds; a MB is 2²⁰ bytes."""
        return self.megabytes / median(seconds) if seconds else 0.0


class Content:
    """So many mebibytes that no other round has sent, and their checksum once they are sent."""

    def __init__(self, megabytes: int) -> None:
        self._block = os.urandom(MIB)
        self._blocks = megabytes
        self.checksum = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        """All of it, a mebibyte at a time, no two alike."""
        for number in range(self._blocks):
            piece = number.to_bytes(8) + self._block[8:]
            self.checksum = zlib.crc32(piece, self.checksum)
            yield piece


async def carry(side: Side, carried: Carried, number: int) -> None:
    """One round on a side, which adds to `carried`."""
    processes = [process.pid for process in side.processor["server"]()]
    before, memory = Memory(processes), Memory(processes)
    await _looked(before)
    watching = asyncio.create_task(memory.watch())
    content = Content(carried.megabytes)
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
            began = perf_counter()
            address = artifact_of(side.site, number)
            headers = {"Authorization": f"Bearer {side.site.token}"} if side.site.token else {}
            async with session.put(address, data=content.pieces(), headers=headers) as reply:
                if reply.status != 200:
                    carried.wrong = f"{reply.status} {(await reply.text())[:300]}"
                    return
            carried.up.append(perf_counter() - began)
            began = perf_counter()
            came = 0
            async with session.get(address, headers=headers) as reply:
                async for chunk in reply.content.iter_chunked(MIB):
                    came = zlib.crc32(chunk, came)
            carried.down.append(perf_counter() - began)
            if came != content.checksum:
                carried.wrong = "what came back is not what was sent"
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError, psutil.Error):
            await watching
    grown = sum(memory.peaks.values()) - sum(before.peaks.values())
    carried.grown = max(carried.grown, grown)


async def _looked(memory: Memory) -> None:
    """What processes hold now, as they are at rest."""
    watching = asyncio.create_task(memory.watch())
    await asyncio.sleep(LOOK_SECONDS / 2)
    watching.cancel()
    with suppress(asyncio.CancelledError, psutil.Error):
        await watching


def artifact_of(site: Site, number: int) -> str:
    """Where an artifact of one of the site's runs goes."""
    experiment, run = site.experiments["metric"], site.metric_runs[0]
    path = f"{experiment}/{run}/artifacts/big-{number}.bin"
    return f"http://{site.host}:{site.port}/api/2.0/mlflow-artifacts/artifacts/{path}"
