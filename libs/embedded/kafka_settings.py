"""Kafka's settings file: one small node, a login on each listener, nothing allowed by default."""

from collections.abc import Mapping
from pathlib import Path

from libs.embedded.errors import Problem
from libs.embedded.ports import HOST

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


def settings(
    data: Path, ports: Mapping[str, int], admin_password: str, controller_password: str
) -> str:
    """The text of server.properties for a node that keeps its logs in `data`."""
    controller = {f"user_{CONTROLLER}": controller_password}
    return SETTINGS.format(
        host=HOST,
        port=ports["kafka"],
        controller_port=ports["kafka-controller"],
        admin=ADMIN,
        controller=CONTROLLER,
        client_login=login(SCRAM, ADMIN, admin_password),
        controller_login=login(PLAIN, CONTROLLER, controller_password, controller),
        data=escaped(data),
    )


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
