"""Single requests outside the measured rounds: a kept-alive connection, and many side by side."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.load.answers import AnswerReader
from tests.load.operations import Site


class Unexpected(Exception):
    """A server said something else than what the bench needs to go on."""


class Line:
    """One connection to a site."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._answers = AnswerReader()

    async def ask(self, request: bytes) -> bytes:
        """The body of the answer; raises Unexpected unless its status is 200."""
        self._writer.write(request)
        while True:
            data = await self._reader.read(262144)
            if not data:
                raise Unexpected("the connection ended before the answer")
            answer = self._answers.feed(data)
            if answer is not None:
                break
        if answer.status != 200:
            line = request.split(b"\r\n", 1)[0].decode()
            raise Unexpected(f"{line}: {answer.status} {answer.body[:500]!r}")
        return answer.body


@asynccontextmanager
async def line_to(site: Site) -> AsyncIterator[Line]:
    """A connection, closed at the end."""
    reader, writer = await asyncio.open_connection(*site.place)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


async def post(site: Site, path: str, body: object) -> Any:
    """One POST below the API's prefix; the decoded answer."""
    async with line_to(site) as line:
        return json.loads(await line.ask(site.request("POST", path, json.dumps(body).encode())))


async def ask_all(site: Site, requests: Sequence[bytes], clients: int) -> list[bytes]:
    """The answers to all requests in their order, asked over `clients` connections."""
    answers: dict[int, bytes] = {}
    waiting = iter(enumerate(requests))

    async def work() -> None:
        async with line_to(site) as line:
            for number, request in waiting:
                answers[number] = await line.ask(request)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(clients, len(requests))):
            group.create_task(work())
    return [answers[number] for number in range(len(requests))]
