"""An installation of its own for a test: a fresh database on the shared parts, and auth on it."""

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from urllib.parse import quote_plus, urlencode, urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import msgspec

from libs.common.contracts import registry, tracking
from libs.common.contracts.topic import Topic
from libs.common.http.calling import Reply, call
from libs.common.http.types import ASGIApp
from libs.common.principal import PRINCIPAL_HEADER
from libs.common.runner import running
from libs.common.service import Running, Service
from services.auth.service import SERVICE
from services.auth.settings import Settings
from services.steps import prepare
from tests.databases import drop_database
from tests.waiting import eventually

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
OPAQUE = "urn:ietf:params:oauth:token-type:access_token"
PRINCIPAL = "urn:ietf:params:oauth:token-type:jwt"
SIGN_IN = "urn:maestro:params:oauth:token-type:password"
DATABASE_URLS = ("MAESTRO_POSTGRES_URL", "AUTH_DATABASE_URL", "AUTH_RELAY_DATABASE_URL")


async def _nobody(*_: object) -> None:
    """The surface of a service that only tells facts."""


def _told_by(name: str, module: ModuleType) -> Service:
    topics = tuple(value for value in vars(module).values() if isinstance(value, Topic))
    return Service(name=name, settings=None, api=lambda _: _nobody, publishes=topics)


# auth hears them all, so their topics must be there.
PRODUCERS = (_told_by("tracking", tracking), _told_by("registry", registry))
ALL_PUBLISHED = "SELECT NOT EXISTS (SELECT FROM auth.outbox WHERE published_at IS NULL)"


@asynccontextmanager
async def fresh_database(
    environment: Mapping[str, str], folder: Path
) -> AsyncIterator[dict[str, str]]:
    """The environment of a platform on which auth has never started; dropped at the end."""
    name = f"auth_{uuid4().hex}"
    own = dict(environment)
    for variable in DATABASE_URLS:
        own[variable] = urlunsplit(urlsplit(environment[variable])._replace(path=f"/{name}"))
    own["AUTH_FIRST_TOKEN_FILE"] = str(folder / name / "first-token")
    own["AUTH_OPERATOR_TOKEN_FILE"] = str(folder / name / "operator-token")
    admin = await asyncpg.connect(environment["MAESTRO_POSTGRES_URL"])
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        await prepare([SERVICE, *PRODUCERS], own)
        yield own
        await drop_database(admin, name)
    finally:
        await admin.close()


@dataclass
class Auth:
    """auth as it runs in a test, asked as its users and as the other services ask it."""

    app: ASGIApp
    running: Running
    environment: dict[str, str]

    @property
    def first_token(self) -> str:
        """What the first start left for the owner."""
        return Path(self.environment["AUTH_FIRST_TOKEN_FILE"]).read_text(encoding="ascii").strip()

    @property
    def operator_token(self) -> str:
        """What the first start left for the platform's operator."""
        file = Path(self.environment["AUTH_OPERATOR_TOKEN_FILE"])
        return file.read_text(encoding="ascii").strip()

    async def post_form(
        self, form: Sequence[tuple[str, str]], *, client: str = "gateway", secret: str | None = None
    ) -> Reply:
        """A request to the token endpoint, by a service that shows its secret."""
        settings: Settings = self.running.settings
        shown = settings.clients().get(client, "") if secret is None else secret
        basic = base64.b64encode(f"{quote_plus(client)}:{quote_plus(shown)}".encode()).decode()
        return await call(
            self.app,
            "POST",
            "/internal/token",
            headers=[
                ("authorization", f"Basic {basic}"),
                ("content-type", "application/x-www-form-urlencoded"),
            ],
            body=urlencode(form).encode(),
            timeout=60,
        )

    async def exchange(
        self,
        subject_token: str,
        *audiences: str,
        kind: str = OPAQUE,
        client: str = "gateway",
        workspace: str = "",
        address: str = "192.0.2.9",
    ) -> Reply:
        """Exchange a token, or with `kind` a principal, for principals of `audiences`."""
        form = [
            ("grant_type", EXCHANGE),
            ("subject_token", subject_token),
            ("subject_token_type", kind),
            ("workspace", workspace),
            ("client_address", address),
        ]
        return await self.post_form(
            form + [("audience", audience) for audience in audiences], client=client
        )

    async def sign_in(self, user_name: str, password: str) -> Reply:
        """Exchange a user name and a password for principals of every service."""
        form = [
            ("grant_type", EXCHANGE),
            ("subject_token", password),
            ("subject_token_type", SIGN_IN),
            ("login", user_name),
            ("client_address", "192.0.2.7"),
        ]
        return await self.post_form(
            form + [("audience", audience) for audience in ("auth", "tracking", "registry")]
        )

    async def principal(self, token: str, audience: str = "auth") -> str:
        """A principal for one audience, which must be granted."""
        reply = await self.exchange(token, audience)
        assert reply.status == 200, reply.body
        return str(msgspec.json.decode(reply.body)["access_token"])

    async def ask(
        self, token: str, method: str, path: str, body: object = None, audience: str = "auth"
    ) -> Reply:
        """A request to auth's own REST by the holder of a token."""
        principal = await self.principal(token, audience)
        return await self.ask_as(principal, method, path, body)

    async def ask_as(self, principal: str, method: str, path: str, body: object = None) -> Reply:
        """A request to auth's own REST with a principal as it is."""
        path, _, query = path.partition("?")
        return await call(
            self.app,
            method,
            path,
            query=query,
            headers=[(PRINCIPAL_HEADER, principal), ("content-type", "application/json")],
            body=b"" if body is None else msgspec.json.encode(body),
            timeout=60,
        )

    async def new_token(self, by: str, **body: object) -> tuple[str, str]:
        """Another token of the same member: its id and its secret."""
        reply = await self.ask(by, "POST", "/api/maestro/v1/tokens", {"name": "test", **body})
        assert reply.status == 201, reply.body
        made = msgspec.json.decode(reply.body)
        return made["id"], made["token"]

    async def settled(self) -> None:
        """Wait until a fact has made its way: only then is the broker's client fully there."""
        await self.new_token(self.first_token, name="settled")
        relay = await asyncpg.connect(self.environment["AUTH_RELAY_DATABASE_URL"])
        try:
            await eventually(lambda: relay.fetchval(ALL_PUBLISHED), within=20)
        finally:
            await relay.close()


@asynccontextmanager
async def started(environment: Mapping[str, str], *, hears: bool = True) -> AsyncIterator[Auth]:
    """auth, running in this process; its own peer for the published keys, as when alone.

    With `hears` unset it does not consume, for tests that start and stop it in a moment.
    """
    peers: dict[str, ASGIApp] = {}
    service = SERVICE if hears else replace(SERVICE, subscriptions=())
    async with running(service, environment, peers) as (value, app):
        peers["auth"] = app
        auth = Auth(app, value, dict(environment))
        yield auth
        await auth.settled()
