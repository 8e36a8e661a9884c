"""Over real sockets: large bodies stream both ways at constant memory, paths and bytes untouched."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import psutil
import pytest
from yarl import URL

from libs.common.http.remote import remotes
from libs.common.http.types import Receive, Scope, Send
from tests.listening import listening as really_listening
from tests.listening import sent_and_read
from tests.service.auth.installation import Auth
from tests.service.gateway.front import Front, listening, opened

MEGABYTE = bytes(range(256)) * 4096
SIZE = 96
ARTIFACT = "/api/2.0/mlflow-artifacts/artifacts/0/run/artifacts/big.bin"
AHEAD = 24 * 2**20


@dataclass
class Store:
    """A service that takes and gives large bodies, and watches how far it is behind or ahead."""

    taken: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    given: int = 0
    memory: int = 0
    raw_paths: list[bytes] = field(default_factory=list)
    ahead: int = 0
    sent_by_client: int = 0
    taken_by_client: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a PUT, give for a GET."""
        self.raw_paths.append(scope["raw_path"])
        await (self.take(receive) if scope["method"] == "PUT" else self.give(send))
        if scope["method"] == "PUT":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def take(self, receive: Receive) -> None:
        """Read an upload to its end."""
        while True:
            message = await receive()
            assert message["type"] == "http.request", "cut off"
            self.taken += len(message.get("body", b""))
            self.digest.update(message.get("body", b""))
            self.watch(self.sent_by_client - self.taken)
            if not message.get("more_body"):
                return

    async def give(self, send: Send) -> None:
        """Answer with a large body."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(SIZE):
            self.given += len(MEGABYTE)
            await send({"type": "http.response.body", "body": MEGABYTE, "more_body": True})
            self.watch(self.given - self.taken_by_client)

    def watch(self, ahead: int) -> None:
        """Remember the most that was under way, and the most memory."""
        self.ahead = max(self.ahead, ahead)
        self.memory = max(self.memory, psutil.Process().memory_info().rss)


@asynccontextmanager
async def store_behind(front: Front, *, remote: bool) -> AsyncIterator[tuple[str, Store]]:
    """The gateway's URL, and a store as its tracking: in this process, or behind a socket."""
    store = Store()
    async with AsyncExitStack() as stack:
        front.peers["tracking"] = store
        if remote:
            url = await stack.enter_async_context(listening(store))
            found = await stack.enter_async_context(remotes({"tracking": url}))
            front.peers["tracking"] = found["tracking"]
        yield await stack.enter_async_context(listening(front.app)), store
    front.peers["tracking"] = front.tracking


@pytest.mark.parametrize("remote", [False, True], ids=["one process", "separate"])
async def test_an_upload_streams(front: Front, remote: bool) -> None:
    async with store_behind(front, remote=remote) as (url, store):

        async def body() -> AsyncIterator[bytes]:
            for _ in range(SIZE):
                store.sent_by_client += len(MEGABYTE)
                yield MEGABYTE

        before = psutil.Process().memory_info().rss
        async with (
            aiohttp.ClientSession(headers=authorization(front.auth)) as session,
            session.put(url + ARTIFACT, data=body()) as reply,
        ):
            assert reply.status == 200, await reply.text()
    assert store.taken == SIZE * len(MEGABYTE)
    assert store.digest.digest() == hashlib.sha256(MEGABYTE * SIZE).digest()
    assert store.ahead < AHEAD
    assert store.memory - before < 2 * AHEAD


async def full(_: Scope, __: Receive, send: Send) -> None:
    """A service that refuses a body before it reads it."""
    headers = [(b"content-length", b"4"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": b"full"})


@pytest.mark.parametrize("refused", ["at the door", "by a service", "by one behind a socket"])
async def test_who_sends_all_of_a_refused_upload_reads_the_answer(
    front: Front, refused: str
) -> None:
    token = front.auth.first_token if refused != "at the door" else f"mst_{'0' * 43}"
    head = (
        f"PUT {ARTIFACT} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {64 * 2**20}\r\n\r\n"
    ).encode()
    async with AsyncExitStack() as stack:
        front.peers["tracking"] = full
        if refused == "by one behind a socket":
            url = await stack.enter_async_context(really_listening(full))
            found = await stack.enter_async_context(remotes({"tracking": url}))
            front.peers["tracking"] = found["tracking"]
        door = await stack.enter_async_context(really_listening(front.app))
        for _ in range(20):
            answer = await asyncio.to_thread(sent_and_read, door, head, 64)
            if refused == "at the door":
                assert answer.startswith(b"HTTP/1.1 401 ")
                assert b"UNAUTHENTICATED" in answer
            else:
                assert answer.startswith(b"HTTP/1.1 413 ")
                assert b"full" in answer


@pytest.mark.parametrize("remote", [False, True], ids=["one process", "separate"])
async def test_a_download_streams(front: Front, remote: bool) -> None:
    async with store_behind(front, remote=remote) as (url, store):
        before = psutil.Process().memory_info().rss
        digest = hashlib.sha256()
        async with (
            aiohttp.ClientSession(headers=authorization(front.auth)) as session,
            session.get(url + ARTIFACT) as reply,
        ):
            async for chunk in reply.content.iter_chunked(2**16):
                store.taken_by_client += len(chunk)
                digest.update(chunk)
    assert digest.digest() == hashlib.sha256(MEGABYTE * SIZE).digest()
    assert store.ahead < AHEAD
    assert store.memory - before < 2 * AHEAD


@pytest.mark.parametrize("remote", [False, True], ids=["one process", "separate"])
@pytest.mark.parametrize("tail", ["a%20b.txt", "a%2Fb", "%C3%A9", "a+b;c=d", "%252e%252e/x"])
async def test_paths_arrive_as_they_were_sent(front: Front, remote: bool, tail: str) -> None:
    async with store_behind(front, remote=remote) as (url, store):
        target = URL(f"{url}{ARTIFACT}/{tail}", encoded=True)
        async with (
            aiohttp.ClientSession(headers=authorization(front.auth)) as session,
            session.put(target, data=b"x") as reply,
        ):
            assert reply.status == 200
    assert store.raw_paths == [f"{ARTIFACT}/{tail}".encode()]


@pytest.mark.parametrize("remote", [False, True], ids=["one process", "separate"])
async def test_an_answer_has_one_date_and_one_length(front: Front, remote: bool) -> None:
    async with (
        store_behind(front, remote=remote) as (url, _),
        aiohttp.ClientSession(headers=authorization(front.auth)) as session,
        session.put(url + ARTIFACT, data=b"x", expect100=True) as reply,
    ):
        assert reply.status == 200
        for name in ("date", "x-request-id"):
            assert len(reply.headers.getall(name)) == 1


async def test_an_encoded_climb_is_refused_at_the_door(front: Front) -> None:
    async with store_behind(front, remote=True) as (url, store):
        for tail in ("../x", "%2e%2e/x", "..%2fx", "a/%2e/b"):
            target = URL(f"{url}{ARTIFACT}/{tail}", encoded=True)
            async with (
                aiohttp.ClientSession(headers=authorization(front.auth)) as session,
                session.put(target, data=b"x") as reply,
            ):
                assert reply.status == 400, tail
    assert store.raw_paths == []


async def test_metrics_are_for_loopback_and_not_through_a_proxy(auth: Auth, front: Front) -> None:
    async with listening(front.app) as url, aiohttp.ClientSession() as session:
        async with session.get(f"{url}/metrics") as reply:
            assert reply.status == 200
            text = await reply.text()
            assert 'maestro_gateway_principals_total{source="memory"}' in text
            assert 'service="gateway"' in text
        for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
            async with session.get(f"{url}/metrics", headers={name: "10.0.0.1"}) as reply:
                assert reply.status == 403
    async with (
        opened(auth, GATEWAY_METRICS_ALLOWED="10.0.0.0/8", MAESTRO_INSTANCE="closed") as closed,
        listening(closed.app) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/metrics") as reply,
    ):
        assert reply.status == 403


def authorization(auth: Auth) -> dict[str, str]:
    """The first token, as a header."""
    return {"Authorization": f"Bearer {auth.first_token}"}
