"""What lives as long as the registry runs: the exchange with which it asks tracking."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from libs.common.http.exchange import PrincipalExchange
from libs.common.service import Running


@dataclass(frozen=True, slots=True)
class State:
    """The running registry's own things."""

    exchange: PrincipalExchange


@asynccontextmanager
async def opens(running: Running) -> AsyncIterator[State]:
    """The registry's state while it runs."""
    secret = running.common.auth_client_secret
    yield State(PrincipalExchange(running.name, secret, running.peers))
