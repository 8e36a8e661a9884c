"""A service behind a URL as an ASGI app: forwards requests, streaming both ways."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from yarl import URL

from libs.common.errors import Refusal, unavailable
from libs.common.http.types import ASGIApp, Message, Receive, Scope, Send

CHUNK: Final = 256 * 1024
_HOP_BY_HOP: Final = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"host",
    )
)


class Remote:
    """Forwards to `url`; a refusal 503 where the service behind it cannot be reached."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url.rstrip("/")
        self._session = session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("raw_path") or scope["path"].encode()
        query = scope["query_string"]
        target = (
            self._url + path.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
        )
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in scope["headers"]
            if name not in _HOP_BY_HOP
        ]
        client = _Client(receive, uploads=_has_body(scope))
        try:
            async with self._session.request(
                scope["method"],
                URL(target, encoded=True),
                headers=headers,
                data=client.body() if client.uploads else None,
                allow_redirects=False,
            ) as reply:
                await _pass_on(reply, send, client)
        except (aiohttp.ClientError, TimeoutError) as problem:
            if client.left:
                raise ConnectionAbortedError("the client left") from problem
            if client.refused is not None:
                raise client.refused from None
            raise unavailable("A part that is needed is away; try again.") from problem


class _Client:
    """The client's side of a request: its body, and whether it is still there."""

    def __init__(self, receive: Receive, *, uploads: bool) -> None:
        self._receive = receive
        self._sent_all = asyncio.Event()
        self.uploads = uploads
        self.left = False
        self.refused: Refusal | None = None

    async def body(self) -> AsyncIterator[bytes]:
        """The request body as it comes."""
        while True:
            message = await self._next()
            if message.get("body"):
                yield message["body"]
            if not message.get("more_body"):
                self._sent_all.set()
                return

    async def leaves(self) -> None:
        """Raises ConnectionAbortedError when the client goes before it has the answer."""
        if self.uploads:
            await self._sent_all.wait()
        while True:
            await self._next()

    async def _next(self) -> Message:
        try:
            message = await self._receive()
        except Refusal as refusal:  # of the body: kept, as the session only says that it broke off
            self.refused = refusal
            raise
        if message["type"] == "http.disconnect":
            self.left = True
            raise ConnectionAbortedError("the client left")
        return message


def _has_body(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            return True
    return False


async def _pass_on(reply: aiohttp.ClientResponse, send: Send, client: _Client) -> None:
    headers = [
        (name.lower(), value)
        for name, value in reply.raw_headers
        if name.lower() not in _HOP_BY_HOP
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if reply.content_length is not None and reply.content_length <= CHUNK:
        await _pass_body(reply, send)
        return
    # The server does not say that nobody takes what we send: listen, or a long answer is fetched
    # to its end for nobody.
    passing = asyncio.create_task(_pass_body(reply, send))
    leaving = asyncio.create_task(client.leaves())
    try:
        done, _ = await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        await (passing if passing in done else leaving)
    finally:
        passing.cancel()
        leaving.cancel()
        await asyncio.gather(passing, leaving, return_exceptions=True)


async def _pass_body(reply: aiohttp.ClientResponse, send: Send) -> None:
    async for chunk in reply.content.iter_chunked(CHUNK):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def remotes(urls: dict[str, str]) -> AsyncIterator[dict[str, ASGIApp]]:
    """Peers by name, over one pool of connections."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=3, sock_read=75)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        auto_decompress=False,
        skip_auto_headers=["User-Agent"],
    ) as session:
        yield {name: Remote(url, session) for name, url in urls.items()}
