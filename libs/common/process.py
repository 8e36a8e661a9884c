"""One process: the services it runs, the one that faces out, and its peers elsewhere."""

import asyncio
import gc
import resource
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final

import uvloop

from libs.common import prefork
from libs.common.database.guard import RoleRefused, SchemaBehind
from libs.common.failpoints import FailpointsRefused
from libs.common.http.remote import remotes
from libs.common.http.types import ASGIApp
from libs.common.prefork import ALONE, Replica
from libs.common.runner import running, serve
from libs.common.service import Running, Service
from libs.common.settings import SettingsError, Shared, load
from libs.common.telemetry.gathering import told
from libs.common.telemetry.logs import open_logs

DEFAULT_PORTS: Final[Mapping[str, int]] = {
    "gateway": 8765,
    "auth": 8701,
    "tracking": 8702,
    "registry": 8703,
}
MOST_FILES: Final = 65_536
# Allocations before a look at the young, and looks before one at the older and at all.
COLLECTOR: Final = (10_000, 20, 50)
_REFUSALS: Final = (SettingsError, RoleRefused, SchemaBehind, FailpointsRefused)


def run(services: Sequence[Service], env: Mapping[str, str], processes: int = 1) -> None:
    """Run `services` until SIGTERM, in as many `processes` where MAESTRO_PROCESSES names no number.

    The last service answers HTTP. Those that are not listed are reached at `<NAME>_URL`. Exits with
    1 and one line on standard error when a setting, a role or the schema forbids to serve.
    """
    open_logs(level=env.get("MAESTRO_LOG_LEVEL", "INFO"))
    _take_files()
    try:
        host, port = _address(services[-1].name, env)
        count = load(Shared, "MAESTRO", env).processes or processes
        if count == 1:
            _live(services, env, ALONE)
        else:
            _spare_the_collector()
            prefork.run(count, host, port, lambda replica: _live(services, env, replica))
    except SettingsError as problem:
        sys.exit(f"maestro: {problem}")


def _live(services: Sequence[Service], env: Mapping[str, str], replica: Replica) -> None:
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(services, env, replica))
    except _REFUSALS as problem:
        sys.exit(f"maestro: {problem}")


def _address(front: str, env: Mapping[str, str]) -> tuple[str, int]:
    host = env.get(f"{front}_host".upper(), "127.0.0.1")
    return host, int(env.get(f"{front}_port".upper(), DEFAULT_PORTS[front]))


def _take_files() -> None:
    """Open as many connections as the system lets us; what a shell gives is often but 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = MOST_FILES if most == resource.RLIM_INFINITY else min(most, MOST_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))


def _spare_the_collector() -> None:
    """Set aside what lives as long as the process, and look for cycles less often.

    Otherwise each answer of some thousand objects has the collector walk over all that was loaded.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR)


def _end(served: Iterable[Running]) -> None:
    for value in served:
        value.ending.set()


async def _serve(services: Sequence[Service], env: Mapping[str, str], replica: Replica) -> None:
    here = {service.name for service in services}
    urls = {
        name: env[f"{name}_url".upper()]
        for name in DEFAULT_PORTS
        if name not in here and f"{name}_url".upper() in env
    }
    async with AsyncExitStack() as stack:
        apps: dict[str, ASGIApp] = dict(await stack.enter_async_context(remotes(urls)))
        served: list[Running] = []
        await stack.enter_async_context(told(replica))
        for service in services:
            value, app = await stack.enter_async_context(running(service, env, apps, replica))
            apps[service.name] = app
            served.append(value)
        _spare_the_collector()
        front = services[-1].name
        host, port = _address(front, env)
        await serve(
            apps[front],
            host=host,
            port=port,
            drain_seconds=value.common.drain_seconds,
            replica=replica,
            ending=lambda: _end(served),
        )
