"""The gateway on one page: no schema, one broadcast, and the services behind it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from libs.common.service import Running, Service
from services.gateway.api import api
from services.gateway.backoff import BackOff
from services.gateway.consumers import REVOCATIONS
from services.gateway.exchange import Exchange
from services.gateway.limits.limits import Limits
from services.gateway.limits.shared import SharedWindows
from services.gateway.listeners import Listeners
from services.gateway.principals import Principals
from services.gateway.routes import UPSTREAMS
from services.gateway.settings import Settings
from services.gateway.shared_cache import ANSWER_SECONDS, SharedCache
from services.gateway.state import State
from services.gateway.workers import confirm_revocations, look_at_listeners


@asynccontextmanager
async def opens(running: Running) -> AsyncIterator[State]:
    """Principals and limits, over Redis where there is one, for as long as the gateway lives."""
    store = _redis(running.shared.redis_url) if running.shared.redis_url else None
    exchange = Exchange(running.peers, running.common.auth_client_secret, UPSTREAMS)
    principals = Principals(exchange, SharedCache(store, UPSTREAMS), backoff=BackOff(store))
    shared = SharedWindows(store)
    limits = Limits(shared, running.settings, processes=running.replica.count)
    try:
        await shared.open()
        yield State(principals, limits, Listeners(principals.passport))
    finally:
        await limits.close()
        await principals.close()
        if store is not None:
            with suppress(RedisError):  # One that is slow to say goodbye is left.
                await store.aclose()


def _redis(url: str) -> Redis:
    # No retries: a second level that does not answer at once is passed over.
    return Redis.from_url(
        url,
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
        max_connections=16,
    )


SERVICE: Final = Service(
    name="gateway",
    settings=Settings,
    api=api,
    subscriptions=(REVOCATIONS,),
    workers=(confirm_revocations, look_at_listeners),
    peers=UPSTREAMS,
    opens=opens,
)
