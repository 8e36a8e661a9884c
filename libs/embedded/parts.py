"""The embedded parts together: started side by side, handed out by name, stopped in order."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.embedded.environment import environment
from libs.embedded.home import Home
from libs.embedded.kafka import Kafka
from libs.embedded.ports import check_free, choose_ports, kept_ports
from libs.embedded.postgres import Postgres
from libs.embedded.progress import Progress
from libs.embedded.redis import Redis

Part = Postgres | Redis | Kafka


@dataclass(frozen=True)
class Parts:
    """A platform's parts; one that a variable replaces by a real one is None."""

    home: Home
    environment: dict[str, str]
    postgres: Postgres | None
    redis: Redis | None
    kafka: Kafka | None

    @property
    def started(self) -> list[Part]:
        """The parts that run here."""
        return [part for part in (self.postgres, self.redis, self.kafka) if part is not None]

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by the part's name; of those that run."""
        return {part.name: part.pid for part in self.started if part.pid is not None}


@asynccontextmanager
async def platform(home: Path, env: Mapping[str, str], progress: Progress) -> AsyncIterator[Parts]:
    """Run the parts on the data folder `home` while inside; `env` is the user's environment.

    Raises Problem, worded for the user, when the folder is held by another platform or is newer,
    when a port is taken, or when a part does not come up. Call it from the main thread.
    """
    folder = Home(home)
    folder.open()
    try:
        choose_ports(folder.path, env)
        parts = describe(folder, env, progress)
        try:
            await _start(parts, progress)
            yield parts
        finally:
            await _stop(parts)
    finally:
        folder.close()


def describe(home: Home, env: Mapping[str, str], progress: Progress) -> Parts:
    """The parts of the platform in `home`, whose ports are chosen; not started."""
    ports = kept_ports(home.path)
    return Parts(
        home=home,
        environment=environment(home, env),
        postgres=None if env.get("MAESTRO_POSTGRES_URL") else Postgres(home, ports["postgres"]),
        redis=None if env.get("MAESTRO_REDIS_URL") else Redis(home, ports["redis"]),
        kafka=None if env.get("MAESTRO_KAFKA_BOOTSTRAP") else Kafka(home, ports, env, progress.say),
    )


async def _start(parts: Parts, progress: Progress) -> None:
    names = ["gateway"]
    names += ["postgres"] if parts.postgres else []
    names += ["redis"] if parts.redis else []
    names += ["kafka", "kafka-controller"] if parts.kafka else []
    check_free(kept_ports(parts.home.path), names)
    starts = [asyncio.create_task(_start_one(part, progress)) for part in parts.started]
    try:
        await asyncio.gather(*starts)
    finally:
        for start in starts:
            start.cancel()
        await asyncio.gather(*starts, return_exceptions=True)


async def _start_one(part: Part, progress: Progress) -> None:
    async with progress.step(part.name):
        await part.start()


async def _stop(parts: Parts) -> None:
    """Stop all at once; what does not want to is killed."""
    await asyncio.gather(*(part.stop() for part in parts.started))
