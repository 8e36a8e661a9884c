"""Apache Kafka, one node in KRaft mode, with a login on both of its listeners."""

import asyncio
import base64
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from libs.embedded.errors import Problem
from libs.embedded.home import Home, write_private
from libs.embedded.kafka_jars import cache_folder, fetch, jars_folder
from libs.embedded.kafka_jvm import java, recording, start_cache
from libs.embedded.kafka_settings import ADMIN, argument_word, settings
from libs.embedded.ports import HOST
from libs.embedded.process import Process


class Kafka:
    """One Kafka node on a folder below the platform's."""

    name = "Apache Kafka"

    def __init__(
        self,
        home: Home,
        ports: Mapping[str, int],
        env: Mapping[str, str],
        say: Callable[[str], None],
    ) -> None:
        self._home = home
        self._ports = ports
        self._cache = cache_folder(env)
        self._jars = jars_folder(self._cache)
        self._say = say
        self._folder = home.path / "kafka"
        self._given_up = False
        self.process: Process | None = None

    @property
    def pid(self) -> int | None:
        """The JVM's process id while it runs."""
        return self.process.pid if self.process else None

    @property
    def bootstrap(self) -> str:
        """Where clients get in."""
        return f"{HOST}:{self._ports['kafka']}"

    @property
    def password(self) -> str:
        """The password of the user admin."""
        return self._home.secret("kafka-admin")

    async def start(self) -> None:
        """Start it, after fetching its jars and making its folder where needed; wait until it answers."""
        await self._fetch()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        file = self._folder / "server.properties"
        write_private(
            file,
            settings(
                self._folder / "data",
                self._ports,
                self.password,
                self._home.secret("kafka-controller"),
            ),
        )
        if not (self._folder / "formatted").exists():
            await self._format(file)
        if not start_cache(self._jars).exists() and os.access(self._jars, os.W_OK):
            await self._record(file)
        self.process = self._child("kafka", java(self._jars, ["kafka.Kafka", str(file)]))
        self.process.spawn()
        await self.process.until(self._listens, within=90)
        await self.process.until(self._serves, within=30)

    async def stop(self) -> None:
        """Hand over and flush, then end."""
        if self.process is not None:
            await self.process.stop()

    def kill(self) -> None:
        """SIGKILL the JVM."""
        if self.process is not None:
            self.process.kill()

    async def _fetch(self) -> None:
        try:
            await asyncio.to_thread(fetch, self._cache, self._tell)
        except asyncio.CancelledError:
            # The thread ends at its next word to us, and does not hold up the end of the process.
            self._given_up = True
            raise

    def _tell(self, done: int, of: int) -> None:
        if self._given_up:
            raise Problem("Fetching Apache Kafka was given up.")
        if done % 15 == 0 or done == of:
            self._say(
                f"  Fetching Apache Kafka, once for all platforms of this user: {done} of {of} jars"
            )

    async def _format(self, file: Path) -> None:
        """Make the log folder, with the user admin in it.

        The password travels in an argument file, for a command line is open to everyone.
        """
        shutil.rmtree(self._folder / "data", ignore_errors=True)
        scram = f"SCRAM-SHA-256=[name={ADMIN},password={self.password}]"
        words = ["kafka.tools.StorageTool", "format", "--cluster-id", cluster_id()]
        words += ["--config", str(file), "--add-scram", scram]
        arguments = self._folder / "format.args"
        write_private(arguments, "\n".join(argument_word(word) for word in words) + "\n")
        process = self._child("kafka-format", java(self._jars, [f"@{arguments}"]))
        process.spawn()
        try:
            if await process.ended() != 0:
                raise Problem(f"Apache Kafka's folder could not be made.\n{process.last_words()}")
        finally:
            process.kill()
            arguments.unlink()
        (self._folder / "formatted").touch()

    async def _record(self, file: Path) -> None:
        """Start and stop once to make the start-up cache; where that fails, starts stay slower."""
        cache = start_cache(self._jars)
        into = cache.with_name(f"{cache.name}.{os.getpid()}")
        command = recording(self._jars, into, ["kafka.Kafka", str(file)])
        self.process = self._child("kafka-record", command)
        self._say("  Preparing Apache Kafka for quick starts, once …")
        self.process.spawn()
        try:
            await self.process.until(self._listens, within=90)
            await self.process.until(self._serves, within=30)
            await self.process.stop(within=60)
            if into.exists():
                into.replace(cache)
        finally:
            self.process.kill()
            into.unlink(missing_ok=True)

    def _child(self, log: str, command: list[str]) -> Process:
        file = self._home.logs / f"{log}.log"
        return Process(self.name, command, file, {"LC_ALL": "C.UTF-8"})

    async def _serves(self) -> bool:
        """Whether it lets the administrator in and takes part in its own cluster."""
        client = AdminClient(
            {
                "bootstrap.servers": self.bootstrap,
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "SCRAM-SHA-256",
                "sasl.username": ADMIN,
                "sasl.password": self.password,
                "reconnect.backoff.max.ms": 100,
                "log_level": 0,
            }
        )
        with suppress(KafkaException):
            return bool((await asyncio.to_thread(client.list_topics, timeout=2)).brokers)
        return False

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, self._ports["kafka"])
        except OSError:
            return False
        writer.close()
        return True


def cluster_id() -> str:
    """A new cluster's id; one that begins with a dash would be read as an option."""
    while True:
        made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not made.startswith("-"):
            return made
