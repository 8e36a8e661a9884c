"""A gateway under test, and the services behind it that tell what reached them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import uvicorn

from libs.common.http.calling import Reply, call
from libs.common.http.types import ASGIApp, Receive, Scope, Send
from libs.common.principal import PRINCIPAL_HEADER, Principal, Verifier
from libs.common.runner import running
from libs.common.service import Running, Service
from services.gateway.principals import Principals
from services.gateway.service import SERVICE
from services.steps import prepare
from tests.service.auth.installation import Auth
from tests.waiting import eventually

RUNS = "/api/2.0/mlflow/runs/get"


@dataclass
class Behind:
    """A service that verifies its caller as a real one does, and tells what it was asked."""

    name: str
    verifier: Verifier
    asked: list[Scope] = field(default_factory=list)
    callers: list[Principal | None] = field(default_factory=list)
    body_bytes: int = 0
    ready: bool = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body, answer with the caller's subject."""
        if scope["path"] == "/ready":
            await _answer(send, 200 if self.ready else 503, {})
            return
        self.asked.append(scope)
        raw = [value for name, value in scope["headers"] if name == PRINCIPAL_HEADER.encode()]
        caller = await self.verifier.verify(raw[0].decode()) if raw else None
        assert len(raw) <= 1, "several principals reached a service"
        self.callers.append(caller)
        while True:
            message = await receive()
            self.body_bytes += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        subject = None if caller is None else caller.subject
        await _answer(send, 200, {"service": self.name, "subject": subject})


async def _answer(send: Send, status: int, body: object) -> None:
    content = msgspec.json.encode(body)
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


@dataclass
class Front:
    """A running gateway and what is around it."""

    app: ASGIApp
    running: Running
    auth: Auth
    peers: dict[str, ASGIApp]
    tracking: Behind
    registry: Behind

    async def ask(
        self,
        path: str = RUNS,
        *,
        token: str | None = None,
        method: str = "GET",
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        query: str = "",
    ) -> Reply:
        """A request as a client sends it."""
        sent = [("host", "localhost"), *headers]
        if token is not None:
            sent.append(("authorization", f"Bearer {token}"))
        return await call(self.app, method, path, headers=sent, query=query, body=body, timeout=30)

    @property
    def principals(self) -> Principals:
        """The gateway's cache."""
        found: Principals = self.running.state.principals
        return found

    async def hears(self) -> None:
        """Wait until the broadcast is heard."""
        await eventually(lambda: self.principals.confirmation._gaps > 1, within=30)


@asynccontextmanager
async def opened(
    auth: Auth, service: Service = SERVICE, *, hears: bool = True, **environment: str
) -> AsyncIterator[Front]:
    """A gateway over `auth`; `environment` changes single variables.

    Without `hears` it is not waited for that the broadcast is heard.
    """
    own = {**auth.environment, **environment}
    await prepare([SERVICE], own)
    keys = auth.running.state.keys.key_set
    tracking, registry = (Behind(n, Verifier(n, keys)) for n in ("tracking", "registry"))
    peers: dict[str, ASGIApp] = {"auth": auth.app, "tracking": tracking, "registry": registry}
    async with running(service, own, peers) as (value, app):
        front = Front(app, value, auth, peers, tracking, registry)
        if hears:
            await front.hears()
        yield front


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[str]:
    """`app` behind a real socket; its URL."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http="httptools", ws="none", lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


def decoded(reply: Reply) -> dict[str, Any]:
    """A JSON answer."""
    found: dict[str, Any] = msgspec.json.decode(reply.body)
    return found


async def away(_: Scope, __: Receive, ___: Send) -> None:
    """A service that cannot be reached."""
    raise ConnectionRefusedError("away")


async def silent(_: Scope, __: Receive, ___: Send) -> None:
    """A service that never answers."""
    await asyncio.Event().wait()
