"""Ports on the loopback interface: chosen once, kept in the data folder, checked before use."""

import json
import random
import socket
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

from libs.embedded.errors import Problem
from libs.embedded.home import write_private

HOST = "127.0.0.1"
GATEWAY_PORT = 8765
# Below the range from which Linux draws ports of outgoing connections (32768 and up), so that a
# kept port is not taken by chance while the platform is stopped.
CHOICE = range(20000, 32000)

VARIABLES = {
    "gateway": "MAESTRO_PORT",
    "postgres": "MAESTRO_POSTGRES_PORT",
    "redis": "MAESTRO_REDIS_PORT",
    "kafka": "MAESTRO_KAFKA_PORT",
    "kafka-controller": "MAESTRO_KAFKA_CONTROLLER_PORT",
    "auth": "AUTH_PORT",
    "tracking": "TRACKING_PORT",
    "registry": "REGISTRY_PORT",
}


def kept_ports(home: Path) -> dict[str, int]:
    """The ports of the platform in `home` as they were last chosen; none before the first time."""
    file = home / "ports.json"
    kept: dict[str, int] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return kept


def choose_ports(home: Path, env: Mapping[str, str]) -> dict[str, int]:
    """The ports for a start in `home`: those kept, unless `env` moves them; written down.

    Only for whoever holds the folder and has not started anything yet.
    """
    kept = kept_ports(home)
    ports: dict[str, int] = {}
    for name in VARIABLES:
        ports[name] = _port(name, kept, env, {*kept.values(), *ports.values()})
    if ports != kept:
        write_private(home / "ports.json", json.dumps(ports, indent=2) + "\n")
    return ports


def _port(name: str, kept: dict[str, int], env: Mapping[str, str], taken: set[int]) -> int:
    asked = env.get(VARIABLES[name], "")
    if asked and not (asked.isdecimal() and int(asked) <= 65535):
        raise Problem(f"{VARIABLES[name]} should be a port number, not {asked!r}.")
    if asked and int(asked) != 0:
        return int(asked)
    if name in kept and not (asked and not is_free(kept[name])):
        return kept[name]
    if name == "gateway" and not asked and is_free(GATEWAY_PORT):
        return GATEWAY_PORT
    return _choose(taken)


def _choose(taken: set[int]) -> int:
    for port in random.sample(CHOICE, 200):
        if port not in taken and is_free(port):
            return port
    raise Problem(f"No free port was found between {CHOICE.start} and {CHOICE.stop}.")


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def check_free(ports: Mapping[str, int], names: Iterable[str], patience: float = 3.0) -> None:
    """Raise Problem for the first port of `names` that another program holds.

    Waits up to `patience` seconds, for what a killed platform left behind needs a moment to end.
    """
    deadline = time.monotonic() + patience
    for name in names:
        while not is_free(ports[name]):
            if time.monotonic() > deadline:
                raise Problem(
                    f"Port {ports[name]} on {HOST}, kept for {name}, is taken by "
                    f"{_holder(ports[name])}. Stop that program, or move {name} for good with "
                    f"{VARIABLES[name]}=… (0 chooses a free one)."
                )
            time.sleep(0.05)


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and tuple(connection.laddr)[1:] == (port,):
                if connection.pid is None:
                    break
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return "another program"
