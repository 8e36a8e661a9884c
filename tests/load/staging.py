"""Starts the two sides for the bench, and stops them when it ends."""

import os
import time
from contextlib import AsyncExitStack
from pathlib import Path

from libs.embedded import Parts, Progress, platform
from libs.embedded.environment import as_user
from libs.embedded.ports import HOST
from tests.deployments import Deployment, deployed
from tests.load import counting
from tests.load.content import Corpus
from tests.load.operations import Site
from tests.load.peer import peer
from tests.load.seeding import seed_by_api, seed_by_sql
from tests.load.settling import Settling
from tests.load.sides import (
    OURS,
    THEIRS,
    Side,
    our_memory,
    our_processor,
    their_memory,
    their_processor,
)


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
    ) -> None:
        self._stack = stack
        self._folder = folder
        self._progress = progress
        self._restarts = restarts
        self._separate = separate
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

        return Side(
            OURS,
            site,
            seed,
            self.superuser_url,
            counting.OURS,
            our_memory(self._parts, deployment),
            our_processor(self._parts, deployment),
            [*starts, took],
        )

    async def _start(self, stack: AsyncExitStack) -> tuple[Deployment, float]:
        began = time.monotonic()
        await self._open_parts(stack)
        assert self._parts is not None
        given = {**self._parts.environment, "MAESTRO_LOG_LEVEL": "WARNING"}
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
        if self._parts is None:
            await self._open_parts(self._stack)
        assert self._parts is not None
        server = await self._stack.enter_async_context(
            peer(self.superuser_url, self._folder / "mlflow")
        )
        starts = []
        for number in range(self._restarts + 1):
            async with self._progress.step(THEIRS):
                starts.append(await server.start())
            if number < self._restarts:
                await server.stop()
        site = Site(HOST, server.port)

        async def seed(corpus: Corpus) -> None:
            await seed_by_sql(site, corpus, server.database_url)

        return Side(
            THEIRS,
            site,
            seed,
            server.database_url,
            counting.THEIRS,
            their_memory(self._parts, server),
            their_processor(self._parts, server),
            starts,
        )
