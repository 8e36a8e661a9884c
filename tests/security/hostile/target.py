"""The platform as processes of its own, asked byte by byte through the gateway's socket."""

import asyncio
import re
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast
from uuid import uuid4

import msgspec

from libs.common.http.calling import Reply
from libs.embedded.ports import HOST
from tests.deployments import Deployment, deployed
from tests.security.matrix.platform import Platform
from tests.security.matrix.things import Maker, Things

OURS: Final = "/api/maestro/v1"
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3})[^\r]*\r\n")
# Longer than any answer to bad input may take, on a machine that others use too.
_PATIENCE_SECONDS: Final = 60


@dataclass(frozen=True)
class Target:
    """The gateway of a running platform; `token` is an owner's and `stranger` another tenant's."""

    deployment: Deployment
    token: str
    stranger: str
    folder: Path

    async def ask(
        self,
        token: str | None,
        method: str,
        path: str,
        query: str = "",
        body: object = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """A well-formed request."""
        content = raw if raw is not None else b"" if body is None else msgspec.json.encode(body)
        sent = {"Content-Type": "application/json", "Content-Length": str(len(content))}
        whole = f"{path}?{query}" if query else path
        lines = [f"{name}: {value}" for name, value in {**sent, **(headers or {})}.items()]
        answer = await self.exchange(self.head(token, method, whole.encode(), lines), content)
        assert answer is not None, (method, path)
        return answer

    def head(
        self, token: str | None, method: str, target: bytes, lines: Iterable[str] = ()
    ) -> bytes:
        """The head of a request, with `target` as it stands."""
        given = [f"Host: {HOST}:{self.deployment.port}", "Connection: close", *lines]
        if token is not None:
            given.append(f"Authorization: {'' if ' ' in token else 'Bearer '}{token}")
        rest = "".join(f"{line}\r\n" for line in given).encode("latin-1", "replace")
        return method.encode() + b" " + target + b" HTTP/1.1\r\n" + rest + b"\r\n"

    async def exchange(self, *pieces: bytes, ends: bool = False) -> Reply | None:
        """Send the pieces one after the other; the answer, None where the connection just ended.

        With `ends` our side of the connection is closed after the last piece.
        """
        # A plain socket: a stream drops what has come as soon as it cannot send any more.
        with socket.create_connection((HOST, self.deployment.port)) as line:
            line.setblocking(False)
            sending = asyncio.create_task(_send(line, pieces, ends=ends))
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    return _reply(await _all_of(line))
            finally:
                sending.cancel()
                await asyncio.wait([sending])


async def _send(line: socket.socket, pieces: Iterable[bytes], *, ends: bool) -> None:
    loop = asyncio.get_running_loop()
    # An answer may come, and the connection end, before all is sent.
    with suppress(OSError):
        for piece in pieces:
            await loop.sock_sendall(line, piece)
        if ends:
            line.shutdown(socket.SHUT_WR)


async def _all_of(line: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    found = bytearray()
    with suppress(OSError):
        while piece := await loop.sock_recv(line, 65536):
            found += piece
    return bytes(found)


def _reply(raw: bytes) -> Reply | None:
    """The last answer in what came; answers of 1xx come before it."""
    head, _, body = raw.partition(b"\r\n\r\n")
    found = _STATUS.match(head + b"\r\n")
    if found is None:
        return None
    lines = [line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:]]
    headers = {name.strip().lower(): value.strip() for name, _, value in lines}
    if found[1].startswith(b"1"):
        return _reply(body)
    if headers.get("transfer-encoding") == "chunked":
        body = _joined(body)
    return Reply(int(found[1]), headers, body)


def _joined(chunked: bytes) -> bytes:
    found = b""
    while chunked:
        size, _, rest = chunked.partition(b"\r\n")
        length = int(size or b"0", 16)
        if length == 0:
            break
        found, chunked = found + rest[:length], rest[length + 2 :]
    return found


@asynccontextmanager
async def attacked(environment: Mapping[str, str], folder: Path) -> AsyncIterator[Target]:
    """A platform of its own on fresh parts, with a second tenant; its store lies in `folder`."""
    own = {**environment, "TRACKING_ARTIFACT_STORE": (folder / "store").as_uri()}
    async with deployed(own, folder.parent) as deployment:
        target = Target(deployment, deployment.token, "", folder)
        yield Target(deployment, deployment.token, await _stranger(target, own), folder)


async def _stranger(target: Target, environment: Mapping[str, str]) -> str:
    """A token of another tenant's owner."""
    operator = Path(environment["AUTH_OPERATOR_TOKEN_FILE"]).read_text(encoding="ascii").strip()
    tenant, login, password = f"t-{uuid4().hex[:8]}", "stranger@example.org", uuid4().hex
    made = await _made(target, operator, "tenants", {"name": tenant, "owner": login})
    accepted = {"code": made["owner"]["code"], "password": password}
    await _made(target, None, "invitations/accept", accepted)
    basic = b64encode(f"{tenant}/{login}:{password}".encode()).decode()
    own = {"name": "stranger", "expires_in_days": 1}
    token: str = (await _made(target, f"Basic {basic}", "tokens", own))["token"]
    return token


async def _made(target: Target, token: str | None, place: str, body: object) -> dict[str, Any]:
    reply = await target.ask(token, "POST", f"{OURS}/{place}", body=body)
    assert reply.status in (200, 201), reply.body
    made: dict[str, Any] = msgspec.json.decode(reply.body)
    return made


async def things_of(target: Target, token: str, words: AbstractSet[str] = frozenset()) -> Things:
    """Live things, by the matrix's maker: all it wants of a platform is that it can be asked."""
    return await Maker(cast("Platform", target), token).things(words)
