"""Starts the sides for the bench, and stops them when it ends."""

import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from libs.embedded import Parts, Progress, platform
from libs.embedded.environment import as_user
from libs.embedded.ports import HOST
from tests.deployments import Deployment, deployed
from tests.load import caching
from tests.load.content import Corpus
from tests.load.counting import Counting
from tests.load.fasttrackml import PROGRAM, FastTrackML, fasttrackml
from tests.load.operations import Site
from tests.load.peer import Peer, peer
from tests.load.seeding import seed_by_api, seed_by_sql
from tests.load.settling import Settling
from tests.load.sides import (
    FAST,
    FAST_TITLE,
    OURS,
    PEER_TITLE,
    SEPARATE,
    THEIRS,
    Side,
    our_memory,
    our_processor,
    their_memory,
    their_processor,
)
from tests.load.spreading import add_tenants


class Stage:
    """The embedded parts in `folder`, and on them what is asked for.

    `restarts` says how often each side is stopped and started again before it is used, to see how
    long that takes.
    """

    def __init__(
        self,
        stack: AsyncExitStack,
        folder: Path,
        progress: Progress,
        *,
        restarts: int,
        separate: bool,
        processes: int,
    ) -> None:
        self._stack = stack
        self._folder = folder
        self._progress = progress
        self._restarts = restarts
        self._separate = separate
        self._processes = processes
        self._parts: Parts | None = None
        self._settling: Settling | None = None
        # The parts are always the bench's own, wherever the user's shell points.
        self._env = {k: v for k, v in os.environ.items() if not k.startswith("MAESTRO_")}

    @property
    def superuser_url(self) -> str:
        """The address of our database for who sees past row level security."""
        assert self._parts is not None
        admin = self._parts.environment["MAESTRO_POSTGRES_URL"]
        return as_user(admin, "postgres", self._parts.home.secret("postgres-superuser"))

    async def settled(self) -> float:
        """Wait until no fact is under way; gives the seconds that it took."""
        return await self._settling.settled() if self._settling else 0.0

    async def ours(self) -> Side:
        """The platform, ready."""
        starts = []
        for _ in range(self._restarts):
            async with AsyncExitStack() as once:
                starts.append((await self._start(once))[1])
        deployment, took = await self._start(self._stack)
        assert self._parts is not None
        self._settling = Settling(self.superuser_url, self._parts.environment)
        site = Site(HOST, deployment.port, deployment.token)

        async def seed(corpus: Corpus) -> None:
            await seed_by_api(site, corpus)
            await add_tenants(site, self.superuser_url)

        return Side(
            SEPARATE if self._separate else OURS,
            site,
            seed,
            self.superuser_url,
            Counting(self.superuser_url, ours=True),
            our_memory(self._parts, deployment),
            our_processor(self._parts, deployment),
            [*starts, took],
            partial(caching.found, caching.pages(deployment.environment)),
        )

    async def _start(self, stack: AsyncExitStack) -> tuple[Deployment, float]:
        began = time.monotonic()
        await self._open_parts(stack)
        assert self._parts is not None
        given = {
            **self._parts.environment,
            "MAESTRO_LOG_LEVEL": "WARNING",
            "MAESTRO_PROCESSES": str(self._processes),
        }
        logs = self._parts.home.logs
        async with self._progress.step("Services"):
            deployment = await stack.enter_async_context(
                deployed(given, logs, separate=self._separate)
            )
        return deployment, time.monotonic() - began

    async def _open_parts(self, stack: AsyncExitStack) -> None:
        env = {**self._env, "MAESTRO_PORT": "0"}
        self._parts = await stack.enter_async_context(
            platform(self._folder / "home", env, self._progress)
        )

    async def theirs(self) -> Side:
        """`mlflow server`, ready; on parts that it starts where it is alone."""
        parts = await self._standing()
        server = await self._stack.enter_async_context(
            peer(self.superuser_url, self._folder / "mlflow")
        )
        return await self._beside(THEIRS, PEER_TITLE, server, parts, seed_by_sql)

    async def fast(self) -> Side | None:
        """FastTrackML, ready; None where it was not to be had."""
        if not PROGRAM.exists():
            return None
        parts = await self._standing()
        server = await self._stack.enter_async_context(
            fasttrackml(self.superuser_url, self._folder / "fasttrackml")
        )
        return await self._beside(FAST, FAST_TITLE, server, parts, _seed_fast)

    async def _standing(self) -> Parts:
        if self._parts is None:
            await self._open_parts(self._stack)
        assert self._parts is not None
        return self._parts

    async def _beside(
        self,
        name: str,
        title: str,
        server: Peer | FastTrackML,
        parts: Parts,
        seed: Callable[[Site, Corpus, str], Awaitable[None]],
    ) -> Side:
        """A server beside ours, started as often as is asked for."""
        starts = []
        for number in range(self._restarts + 1):
            async with self._progress.step(name):
                starts.append(await server.start())
            if number < self._restarts:
                await server.stop()
        site = Site(HOST, server.port)
        return Side(
            name,
            site,
            lambda corpus: seed(site, corpus, server.database_url),
            server.database_url,
            Counting(server.database_url, ours=False),
            their_memory(parts, server, name, title),
            their_processor(parts, server),
            starts,
        )


async def _seed_fast(site: Site, corpus: Corpus, _: str) -> None:
    """By HTTP, which is fast enough there; it keeps no name of a run as a tag unless it is told."""
    await seed_by_api(site, corpus, names=True)
