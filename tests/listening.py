"""An ASGI app on a port of this process, for tests that need a real connection."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final
from urllib.parse import urlsplit

import uvicorn

from libs.common.http.heads import LimitedHeads
from libs.common.http.types import ASGIApp
from tests.waiting import eventually

_MIB: Final = 1024 * 1024


class _Server(uvicorn.Server):
    """A server that leaves the signals to pytest."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def free_port() -> int:
    """A port of loopback that nobody had a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def listening(
    app: ASGIApp,
    port: int = 0,
    *,
    http: type[asyncio.Protocol] = LimitedHeads,
    keep_alive_seconds: int = 5,
) -> AsyncIterator[str]:
    """Serve `app` while inside; gives its URL. What is still open at the end is cut."""
    # Bound here and not by its number, which somebody else could have taken meanwhile.
    door = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(
        app,
        http=http,
        interface="asgi3",
        lifespan="off",
        log_config=None,
        timeout_keep_alive=keep_alive_seconds,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[door]))
    try:
        await eventually(lambda: server.started or task.done())
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)


def sent_and_read(url: str, head: bytes, mebibytes: int) -> bytes:
    """Send a whole request and look for nothing before its end, as a simple client; its answer.

    What comes is read until the server closes.
    """
    place = urlsplit(url)
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=20) as line:
        line.sendall(head)
        for _ in range(mebibytes):
            line.sendall(bytes(_MIB))
        return b"".join(iter(lambda: line.recv(_MIB), b""))
