"""The metrics of all processes that answer at one port, gathered by the one that is asked.

Each leaves its own at a socket in a folder that they share; samples are told apart by the label
`process`, so that a counter is summed over them and never seen to fall.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from libs.common.prefork import Replica
from libs.common.telemetry.metrics import exposition

_SECONDS: Final = 2.0


@asynccontextmanager
async def told(replica: Replica) -> AsyncIterator[None]:
    """Tell the others this process's metrics when they ask, for as long as the block lasts."""
    if replica.folder is None:
        yield
        return
    path = _path(replica.folder, replica.number)
    path.unlink(missing_ok=True)  # of the process that this one replaces
    server = await asyncio.start_unix_server(_tell, path)
    try:
        yield
    finally:
        server.close()


async def gathered(replica: Replica) -> bytes:
    """The metrics of all processes, in Prometheus' text format; of this one where it is alone.

    A process that does not answer within two seconds is left out.
    """
    if replica.folder is None:
        return exposition()
    others = [number for number in range(replica.count) if number != replica.number]
    answers = await asyncio.gather(*(_asked(_path(replica.folder, other)) for other in others))
    pages = {replica.number: exposition(), **dict(zip(others, answers, strict=True))}
    return joined({number: page for number, page in sorted(pages.items()) if page}).encode()


def joined(pages: Mapping[int, bytes]) -> str:
    """Pages of metrics as one: by family, each sample with the number of its process."""
    families: dict[str, list[str]] = {}
    heads: dict[str, list[str]] = {}
    for number, page in pages.items():
        for name, head, samples in _families(page.decode().splitlines()):
            heads.setdefault(name, head)
            families.setdefault(name, []).extend(_of(number, sample) for sample in samples)
    lines = [line for name, samples in families.items() for line in (*heads[name], *samples)]
    return "\n".join(lines) + "\n"


def _families(lines: Iterable[str]) -> list[tuple[str, list[str], list[str]]]:
    """Name, `# HELP` and `# TYPE`, and samples of each family; the former begin it."""
    found: list[tuple[str, list[str], list[str]]] = []
    for line in lines:
        if line.startswith("# HELP "):
            found.append((line.split(" ", 3)[2], [line], []))
        elif line.startswith("#"):
            found[-1][1].append(line)
        elif line:
            found[-1][2].append(line)
    return found


def _of(number: int, sample: str) -> str:
    name, brace, rest = sample.partition("{")
    if brace and " " not in name:
        return f'{name}{{process="{number}",{rest}'
    name, _, rest = sample.partition(" ")
    return f'{name}{{process="{number}"}} {rest}'


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number}.metrics"


async def _tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(exposition())
    with suppress(ConnectionError):
        await writer.drain()
    writer.close()


async def _asked(path: Path) -> bytes:
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                return await reader.read()
            finally:
                writer.close()
    return b""
