"""Runs services: opens what each needs, keeps its background work alive, and serves HTTP.

A service that runs is an async context manager, alone in its process or beside others; the only
difference is who lists it.
"""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Final

import msgspec
import uvicorn

from libs.common import failpoints
from libs.common.access.asking import asks_auth
from libs.common.access.authority import Authority
from libs.common.background import Job, background
from libs.common.bus.batches import Batches
from libs.common.bus.broadcast import Broadcast
from libs.common.bus.lag import Lag
from libs.common.bus.link import Broker, Producer, open_producer
from libs.common.bus.tail import Tail
from libs.common.bus.work import Work, group_of
from libs.common.database.guard import check
from libs.common.database.pool import open_database
from libs.common.database.world import WORLD_ERRORS
from libs.common.events.relay import Relay
from libs.common.http.calling import call
from libs.common.http.heads import LimitedHeads
from libs.common.http.types import ASGIApp
from libs.common.prefork import ALONE, Replica
from libs.common.principal import Verifier
from libs.common.service import Running, Service
from libs.common.settings import Common, SettingsError, Shared, load
from libs.common.telemetry.logs import logger
from libs.common.telemetry.tracing import open_tracing

JWKS_PATH: Final = "/.well-known/jwks.json"
_log = logger(__name__)


def _nobody() -> None:
    return


@asynccontextmanager
async def running(
    service: Service, env: Mapping[str, str], peers: Mapping[str, ASGIApp], replica: Replica = ALONE
) -> AsyncIterator[tuple[Running, ASGIApp]]:
    """The service, running, and its ASGI app; stops its work and closes its links at the end.

    `peers` may be filled later than this starts: a peer is looked up when it is called.
    """
    shared = load(Shared, "MAESTRO", env)
    common = load(Common, service.name, env)
    if "auth" in service.peers and not common.auth_client_secret:
        name = f"{service.name}_auth_client_secret".upper()
        raise SettingsError(f"Set {name}: the service cannot start without.")
    failpoints.arm(shared.failpoints, image=shared.image)
    async with AsyncExitStack() as stack:
        tracing = open_tracing(service.name, env)
        stack.callback(tracing.close)
        value = Running(
            service=service,
            settings=load(service.settings, service.name, env) if service.settings else None,
            common=common,
            shared=shared,
            storage=None,
            verifier=Verifier(service.name, _keys_of(peers)),
            peers=peers,
            tracing=tracing,
            topic_of={fact: topic for topic in service.publishes for fact in topic.facts.values()},
            authority=Authority(asks_auth(service.name, common.auth_client_secret, peers)),
            wake=_nobody,
            replica=replica,
        )
        if service.asks is not None:
            value.authority = Authority(service.asks(value))
        if service.migrations is not None:
            await _open_storage(value, stack)
        if service.opens is not None:
            value.state = await stack.enter_async_context(service.opens(value))
        app = service.api(value)
        broker = Broker(
            shared.kafka_bootstrap, common.kafka_username, common.kafka_password, shared.member()
        )
        producer = (
            await stack.enter_async_context(open_producer(broker))
            if _speaks(service)
            else Producer(broker)
        )
        await stack.enter_async_context(background(_jobs(value, broker, producer)))
        value.ready = True
        yield value, app
        value.ready = False


class _Server(uvicorn.Server):
    """A server that says when it listens, and when it begins to end, before it waits for what is
    under way.
    """

    def __init__(
        self, config: uvicorn.Config, listens: Callable[[], None], ending: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._listens = listens
        self._ending = ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._listens()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Say so; answers that would never end by themselves end now."""
        self._ending()
        await super().shutdown(sockets)


async def serve(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    drain_seconds: float,
    replica: Replica = ALONE,
    ending: Callable[[], None] = _nobody,
) -> None:
    """Answer HTTP until SIGTERM or SIGINT; open requests then get `drain_seconds` to end.

    `ending` is called first, for what would not end by itself.
    """
    own = replica.listening(host, port)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="none",
        http=LimitedHeads,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(drain_seconds),
        backlog=4096,
    )
    with _signals_answered():
        await _Server(config, replica.ready, ending).serve(None if own is None else [own])


@contextmanager
def _signals_answered() -> Iterator[None]:
    """The signal that ends the server ends nothing else: what runs behind it is closed after it.

    uvicorn restores the handlers it found when it has drained, and raises the signal again.
    """
    found = {number: signal.signal(number, _noted) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in found.items():
            signal.signal(number, handler)


def _noted(number: int, _: object) -> None:
    _log.info("ended_by_signal", signal=signal.Signals(number).name)


async def _open_storage(value: Running, stack: AsyncExitStack) -> None:
    service, common = value.service, value.common
    for variable in ("database_url", "relay_database_url"):
        if not getattr(common, variable):
            name = f"{service.name}_{variable}".upper()
            raise SettingsError(f"Set {name}: the service cannot start without.")
    assert service.migrations is not None
    await _checked(common.database_url, service)
    value.storage = await stack.enter_async_context(
        open_database(
            common.database_url, schema=service.name, size=common.pool_size, tracing=value.tracing
        )
    )


async def _checked(url: str, service: Service) -> None:
    """Wait for the database, then refuse a role that is too strong or a schema that is behind."""
    assert service.migrations is not None
    while True:
        try:
            await check(url, service.name, service.migrations)
        except WORLD_ERRORS as problem:
            _log.warning("database_away", service=service.name, error=repr(problem))
            await asyncio.sleep(0.5)
        else:
            return


def _jobs(value: Running, broker: Broker, producer: Producer) -> dict[str, Job]:
    service, common = value.service, value.common
    jobs: dict[str, Job] = {}
    if service.migrations is not None:
        relay = Relay(service.name, common.relay_database_url, producer.publish, value.tracing)
        value.wake = relay.wake
        jobs["relay"] = relay.run
    for subscription in service.subscriptions:
        if subscription.in_group and not value.replica.first:
            continue
        if subscription.kind == "work":
            jobs[subscription.name] = Work(value, subscription, broker, producer).run
        elif subscription.kind == "tail":
            tail = Tail(value.name, subscription, broker)
            value.tails[subscription.name] = tail
            jobs[subscription.name] = tail.run
        elif subscription.kind == "batch":
            lag = Lag(group_of(service.name, subscription))
            for lane in range(subscription.lanes):
                name = f"{subscription.name}-{lane}"
                jobs[name] = Batches(value, subscription, broker, producer, lag, lane).run
        else:
            jobs[subscription.name] = Broadcast(value, subscription, broker).run
    for worker in service.workers:
        jobs[worker.__name__] = lambda worker=worker: worker(value)  # type: ignore[misc]
    return jobs


def _keys_of(peers: Mapping[str, ASGIApp]) -> Callable[[], Awaitable[dict[str, Any]]]:
    async def fetch() -> dict[str, Any]:
        if "auth" not in peers:
            raise ConnectionRefusedError("auth has not started yet")
        reply = await call(peers["auth"], "GET", JWKS_PATH, timeout=3)
        if reply.status != 200:
            raise ConnectionError(f"auth answered {reply.status}")
        return msgspec.json.decode(reply.body, type=dict[str, Any])

    return fetch


def _speaks(service: Service) -> bool:
    # The broker lets nobody produce who may write no topic; a listener keeps dead letters too.
    return bool(service.publishes) or any(s.in_group for s in service.subscriptions)
