"""Requests with a user name and a password, from where a proxy says that they come."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.common.http.calling import Reply, call
from libs.common.http.types import Receive, Scope, Send
from services.auth.metrics import PASSWORDS_HASHED
from services.gateway.service import SERVICE
from tests.service.auth.installation import Auth
from tests.service.gateway.front import RUNS, Front, opened

MINE = "a password that is mine"
NEXT = "the next one, of two words"
PLACES = iter(f"198.51.100.{number}" for number in range(1, 255))


def basic(user: str, password: str) -> tuple[str, str]:
    """A Basic header."""
    return "authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@asynccontextmanager
async def slowing(auth: Auth, **environment: str) -> AsyncIterator[Front]:
    """A gateway behind a proxy that tells where requests come from; without Redis at first."""
    own = {"GATEWAY_TRUSTED_PROXIES": "203.0.113.0/24", "MAESTRO_REDIS_URL": "", **environment}
    async with opened(auth, SERVICE, hears=True, **own) as front:
        yield front


async def tried(front: Front, user: str, password: str, place: str, workspace: str = "") -> Reply:
    """A request with a user name and a password, from somewhere."""

    async def through_a_proxy(scope: Scope, receive: Receive, send: Send) -> None:
        await front.app({**scope, "client": ("203.0.113.9", 1)}, receive, send)

    sent = [("host", "localhost"), basic(user, password), ("x-forwarded-for", place)]
    sent += [("x-mlflow-workspace", workspace)] if workspace else []
    return await call(through_a_proxy, "GET", RUNS, headers=sent, timeout=60)


def hashed() -> float:
    """How many hashes auth has computed, which runs in this process."""
    return float(PASSWORDS_HASHED._value.get())
