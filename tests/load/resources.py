"""Memory and processor time of process trees, read from the kernel."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Usage:
    """What a set of processes holds: memory in bytes (PSS), processor time in seconds.

    The time of children that have ended is their parent's.
    """

    processes: int
    memory: int
    seconds: float


def tree(pid: int) -> list[psutil.Process]:
    """A process and all below it."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def usage(processes: Iterable[psutil.Process], *, memory: bool = True) -> Usage:
    """What `processes` hold together; those that have ended count nothing."""
    count, held, seconds = 0, 0, 0.0
    for process in processes:
        try:
            times = process.cpu_times()
            held += proportional(process.pid) if memory else 0
        except (psutil.Error, OSError):
            continue
        count += 1
        seconds += times.user + times.system + times.children_user + times.children_system
    return Usage(count, held, seconds)


def proportional(pid: int) -> int:
    """Bytes of a process's own memory and its share of what it has in common with others (PSS)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    line = next(line for line in text.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024


def titled(processes: Iterable[psutil.Process], word: str) -> list[psutil.Process]:
    """Those with `word` on their command line, as a database's name on its connections' titles."""
    found = []
    for process in processes:
        try:
            if word in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found
