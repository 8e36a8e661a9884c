"""Requests written to a socket byte by byte, as no HTTP client would send them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from libs.common.principal import PRINCIPAL_HEADER
from tests.serving import Client

ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


@dataclass
class Answer:
    """Status and body of an answer."""

    status: int
    body: bytes


class Line:
    """A connection to the service as one tenant."""

    def __init__(
        self, client: Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._client = client
        self._reader = reader
        self._writer = writer

    async def send(
        self, method: str, target: str, body: bytes = b"", *, length: int | str | None = None
    ) -> None:
        """Write a request, its target as it is; `length` is what it says of its body."""
        principal = self._client.signer.principal(self._client.tenant, "tracking")
        said = len(body) if length is None else length
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"{PRINCIPAL_HEADER}: {principal}\r\nContent-Length: {said}\r\n\r\n"
        )
        self._writer.write(head.encode("latin-1") + body)
        await self._writer.drain()

    async def answer(self) -> Answer:
        """The whole answer; the service closes the connection after it."""
        raw = await asyncio.wait_for(self._reader.read(), 30)
        head, _, body = raw.partition(b"\r\n\r\n")
        return Answer(int(head.split(b" ", 2)[1]), body)

    async def cut(self) -> None:
        """Go away without a word."""
        self._writer.transport.abort()


@asynccontextmanager
async def connected(url: str, client: Client) -> AsyncIterator[Line]:
    """A connection to the service at `url`."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        yield Line(client, reader, writer)
    finally:
        writer.close()


async def asked(url: str, client: Client, method: str, target: str, body: bytes = b"") -> Answer:
    """One request on a connection of its own."""
    async with connected(url, client) as line:
        await line.send(method, target, body)
        return await line.answer()
