"""The sides of the bench: the platform and the servers beside it, their processes, their rows."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import psutil

from libs.embedded import Parts
from tests.deployments import Deployment
from tests.load import fasttrackml
from tests.load.caching import Found
from tests.load.content import Corpus
from tests.load.counting import Counting
from tests.load.fasttrackml import FastTrackML
from tests.load.operations import Site
from tests.load.peer import DATABASE, Peer
from tests.load.resources import titled, tree

OURS: Final = "Maestro ML"
THEIRS: Final = "mlflow server"
FAST: Final = "FastTrackML"
# The platform with a process for each service.
SEPARATE: Final = "Maestro ML, separate"
# How PostgreSQL titles the processes of connections to the peers' databases.
PEER_TITLE: Final = f" {DATABASE} "
FAST_TITLE: Final = f" {fasttrackml.DATABASE} "
Processes = Mapping[str, Callable[[], list[psutil.Process]]]


@dataclass
class Side:
    """One server under load.

    `seed` puts the corpus in. `counting` counts what is committed in the database at
    `database_url`. `memory` and `processor` name its groups of processes, `starts` has the seconds
    from starting them to the first answer. `found` reads how often its caches were asked.
    """

    name: str
    site: Site
    seed: Callable[[Corpus], Awaitable[None]]
    database_url: str
    counting: Counting
    memory: Processes
    processor: Processes
    starts: list[float] = field(default_factory=list)
    found: Callable[[], Awaitable[Found]] | None = None


def our_memory(parts: Parts, deployment: Deployment) -> Processes:
    """Services, PostgreSQL, Kafka and Redis; without the connections that belong to the peers."""

    def postgres() -> list[psutil.Process]:
        family = tree(parts.pids["PostgreSQL"])
        theirs = titled(family, PEER_TITLE) + titled(family, FAST_TITLE)
        return [process for process in family if process not in theirs]

    return {
        "services": lambda: services(deployment),
        "PostgreSQL": postgres,
        "Apache Kafka": lambda: tree(parts.pids["Apache Kafka"]),
        "Redis": lambda: tree(parts.pids["Redis"]),
    }


def our_processor(parts: Parts, deployment: Deployment) -> Processes:
    """The same with all of PostgreSQL, which works for one side at a time."""
    return {
        "server": lambda: services(deployment),
        "PostgreSQL": lambda: tree(parts.pids["PostgreSQL"]),
        "Apache Kafka": lambda: tree(parts.pids["Apache Kafka"]),
        "Redis": lambda: tree(parts.pids["Redis"]),
    }


def services(deployment: Deployment) -> list[psutil.Process]:
    """Every process of the services."""
    return [found for pid in deployment.pids for found in tree(pid)]


def their_memory(parts: Parts, server: Peer | FastTrackML, name: str, title: str) -> Processes:
    """The server's tree, and its connections to the shared PostgreSQL."""
    return {
        name: lambda: server.processes,
        "its PostgreSQL connections": lambda: titled(tree(parts.pids["PostgreSQL"]), title),
    }


def their_processor(parts: Parts, server: Peer | FastTrackML) -> Processes:
    """The server's tree, and PostgreSQL."""
    return {
        "server": lambda: server.processes,
        "PostgreSQL": lambda: tree(parts.pids["PostgreSQL"]),
    }
