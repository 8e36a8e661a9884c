"""The whole platform in this process, on a database of its own, asked through its gateway."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import Final
from unittest.mock import patch
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import msgspec

from libs.common.http.calling import Reply, call
from libs.common.http.types import ASGIApp, Receive, Scope, Send
from libs.common.runner import running
from libs.common.service import Running
from services import all_services
from services.steps import prepare
from services.tracking.artifacts.folder import Folder
from tests.databases import drop_database

_ADDRESSES: Final = count(int(ip_address("10.0.0.1")))


@dataclass
class Platform:
    """Every service, running; `apps` are their surfaces and `values` what runs behind them."""

    environment: dict[str, str]
    apps: dict[str, ASGIApp]
    values: dict[str, Running]

    @property
    def first_token(self) -> str:
        """The token of the first tenant's owner."""
        return Path(self.environment["AUTH_FIRST_TOKEN_FILE"]).read_text(encoding="ascii").strip()

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
        """A request through the gateway, as a client sends it."""
        sent = {"host": "localhost", "content-type": "application/json", **(headers or {})}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        content = raw if raw is not None else b"" if body is None else msgspec.json.encode(body)
        return await call(
            _from_somewhere(self.apps["gateway"]),
            method,
            path,
            query=query,
            headers=list(sent.items()),
            body=content,
            timeout=60,
        )


def _from_somewhere(app: ASGIApp) -> ASGIApp:
    """The app as one meets it from an address that nobody has asked from: none has failed there."""
    number = next(_ADDRESSES)

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "client": (str(ip_address(number)), 1)}, receive, send)

    return asked


class _Signing(Folder):
    """A folder that gives URLs as a bucket does, so that who is given one can be asked."""

    signs = True

    async def signed(self, key: str, seconds: int) -> str:
        """A URL of nowhere."""
        return f"https://store.example/{key}?seconds={seconds}"


@asynccontextmanager
async def platform_of_its_own(
    environment: Mapping[str, str], folder: Path
) -> AsyncIterator[Platform]:
    """A platform on the shared parts that nobody has used, dropped at the end."""
    name = f"matrix_{uuid4().hex}"
    own = dict(environment)
    for variable, url in environment.items():
        if variable.endswith(("DATABASE_URL", "POSTGRES_URL")):
            own[variable] = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    own["AUTH_FIRST_TOKEN_FILE"] = str(folder / "first-token")
    own["TRACKING_ARTIFACT_STORE"] = (folder / "artifacts").as_uri()
    admin = await asyncpg.connect(environment["MAESTRO_POSTGRES_URL"])
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        await prepare(all_services(), own)
        async with AsyncExitStack() as stack:
            stack.enter_context(patch("services.tracking.artifacts.opening.Folder", _Signing))
            platform = Platform(own, {}, {})
            for service in all_services():
                value, app = await stack.enter_async_context(running(service, own, platform.apps))
                platform.apps[service.name] = app
                platform.values[service.name] = value
            yield platform
        await drop_database(admin, name)
    finally:
        await admin.close()
