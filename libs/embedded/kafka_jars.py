"""Apache Kafka's jars: fetched once into the user's cache, each checked against its pinned hash.

`python -m libs.embedded.kafka_jars` solves the list of jars anew (`make lock`).
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from libs.embedded.errors import Problem

KAFKA_VERSION = "4.4.0"
# Kafka's own dependencies bring no sink for its log; the simple one writes to standard error.
ENDPOINTS = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.slf4j:slf4j-simple:1.7.36")
LOCK = Path(__file__).with_name("kafka.lock")
TRIES = 3


def cache_folder(env: Mapping[str, str]) -> Path:
    """Where all platforms of this user keep what they fetched."""
    base = env.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "maestro"


def read_lock() -> dict[str, str]:
    """The pinned jars: `group:artifact:version` and the SHA-256 of the jar in hex."""
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    return dict(line.split() for line in lines if line and not line.startswith("#"))


def jars_folder(cache: Path) -> Path:
    """The folder of the pinned jars; a changed lock means another folder."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    return cache / f"kafka-{KAFKA_VERSION}-{digest}"


def fetch(cache: Path, tell: Callable[[int, int], None]) -> Path:
    """Make sure that all jars are in `cache`; `tell` hears how many of how many are there.

    `tell` may raise Problem to give up. Raises Problem when a jar cannot be had or is not the pinned one. Blocks: call it in a thread.
    """
    folder = jars_folder(cache)
    if folder.exists():
        return folder
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (cache / "kafka.guard").open("w") as guard:
        # Two first starts at once: the second waits here and then finds the folder.
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not folder.exists():
            _fetch_all(folder, tell)
    return folder


def _fetch_all(folder: Path, tell: Callable[[int, int], None]) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    (partial / "jars").mkdir(parents=True, exist_ok=True)
    pinned = read_lock()
    with ThreadPoolExecutor(max_workers=6) as pool:
        jobs = [pool.submit(_fetch_one, partial, name, pinned[name]) for name in pinned]
        try:
            for done, job in enumerate(jobs, start=1):
                job.result()
                tell(done, len(jobs))
        except Problem:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    (partial / "jars").rename(folder)
    shutil.rmtree(partial, ignore_errors=True)


def _fetch_one(partial: Path, name: str, digest: str) -> None:
    group, artifact, version = name.split(":")
    target = partial / "jars" / f"{artifact}-{version}.jar"
    reason = ""
    for _ in range(TRIES):
        if target.exists() and _sha256(target) == digest:
            return
        try:
            found = _download(partial / "repository", group, artifact, version)
        except Exception as error:  # noqa: BLE001 - whatever the HTTP client raises
            reason = str(error)
            continue
        if _sha256(found) == digest:
            found.replace(target)
            return
        reason = "what came is not the pinned file (its SHA-256 differs)"
        found.unlink()
    raise Problem(
        f"Apache Kafka's part {name} could not be fetched: {reason}\n"
        "Check the network and start again; what was fetched so far is kept. Or use a Kafka of "
        "your own: MAESTRO_KAFKA_BOOTSTRAP=host:port."
    )


def _download(repository: Path, group: str, artifact: str, version: str) -> Path:
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - slow, first start only

    context = MavenContext(repo_cache=repository, resolver=PythonResolver(), timeout=30)
    jar = context.project(group, artifact).at_version(version).artifact()
    if jar.cached_path is not None:
        # What an interrupted download left; the resolver expects no file there.
        jar.cached_path.unlink(missing_ok=True)
    found = context.resolver.download(jar)
    if found is None:
        raise FileNotFoundError(f"{jar} was not found")
    return found


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def solve() -> str:
    """The text of the lock file for the endpoints above, from a resolution made anew."""
    from jgo.env import EnvironmentBuilder, LinkStrategy  # noqa: PLC0415 - needed by `make lock`
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name:
        repository = Path(name) / "repository"
        EnvironmentBuilder(
            context=MavenContext(repo_cache=repository, resolver=PythonResolver()),
            link_strategy=LinkStrategy.HARD,
            cache_dir=Path(name) / "cache",
        ).from_endpoint("+".join(ENDPOINTS))
        found = sorted(repository.rglob("*.jar"))
        lines = [f"{_coordinates(jar.relative_to(repository))} {_sha256(jar)}" for jar in found]
    head = "# Apache Kafka's jars and their SHA-256; made by `make lock`."
    return "\n".join([head, *lines]) + "\n"


def _coordinates(place: Path) -> str:
    *group, artifact, version, _ = place.parts
    return f"{'.'.join(group)}:{artifact}:{version}"


def main() -> None:
    """Write the lock file anew."""
    text = solve()
    beside = LOCK.with_suffix(f".{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(LOCK)
    print(f"{LOCK.name}: {text.count(chr(10)) - 1} jars")


if __name__ == "__main__":
    main()
