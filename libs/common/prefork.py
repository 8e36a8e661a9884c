"""Several processes that answer at one port: forked from a loaded one, watched, ended together.

The pre-fork model of Apache and gunicorn with SO_REUSEPORT (Linux 3.9): the kernel spreads new
connections over those that listen. The first process alone consumes from Kafka in groups; all
else that a process of a service does, each does for itself, as replicas on other machines do.
"""

import ctypes
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from libs.common.settings import SettingsError
from libs.common.telemetry.logs import logger

MOST_BY_DEFAULT: Final = 4
AGAIN_SECONDS: Final = 1.0
_PORT_SECONDS: Final = 2.0
_PR_SET_PDEATHSIG: Final = 1
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Replica:
    """Which of how many processes this one is, from 0 on, and the folder that they share."""

    number: int = 0
    count: int = 1
    folder: Path | None = None

    @property
    def first(self) -> bool:
        """Whether it is the one that consumes in groups."""
        return self.number == 0

    def listening(self, host: str, port: int) -> socket.socket | None:
        """A socket of its own at the port that all share; None for a process that is alone."""
        return None if self.count == 1 else _bound(host, port, shared=True)

    def ready(self) -> None:
        """Say that this process answers."""
        if self.count > 1:
            os.kill(os.getppid(), _ready_signal())


ALONE: Final = Replica()


def usual() -> int:
    """A process for each core, four at most; one where the kernel does not spread connections."""
    if not _spreads():
        return 1
    return min(len(os.sched_getaffinity(0)), MOST_BY_DEFAULT)


def _spreads() -> bool:
    return sys.platform.startswith("linux")


def _ready_signal() -> int:
    # Queued, so that none is lost when two are sent at once; not every system has it.
    return int(signal.SIGRTMIN)


def run(count: int, host: str, port: int, serve: Callable[[Replica], None]) -> None:
    """Fork `count` processes that each call `serve`, until SIGTERM; each that ends is replaced.

    The others are forked when the first is ready. Where one ends before it was ready all end, and
    this exits with 1: what it says on standard error is why.
    """
    if not _spreads():
        raise SettingsError("Set MAESTRO_PROCESSES to 1: more of them share a port on Linux alone.")
    with tempfile.TemporaryDirectory(prefix="maestro-") as folder, _reserved(host, port):
        replicas = [Replica(number, count, Path(folder)) for number in range(count)]
        status = _Fleet(replicas, serve).run()
    if status:
        sys.exit(status)


class _Fleet:
    def __init__(self, replicas: list[Replica], serve: Callable[[Replica], None]) -> None:
        self._places = replicas
        self._serve = serve
        self._running: dict[int, Replica] = {}
        self._were_ready: set[int] = set()
        self._watched = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, _ready_signal()}
        self._ending = False
        self._status = 0

    def run(self) -> int:
        """Watch until all have ended; the exit status."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self._watched)
        try:
            self._fork(self._places[0])
            while self._running:
                told = signal.sigwaitinfo(self._watched)
                if told.si_signo == _ready_signal():
                    self._ready(told.si_pid)
                elif told.si_signo == signal.SIGCHLD:
                    self._reap()
                else:
                    self._end()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self._status

    def _fork(self, replica: Replica) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _die_with(parent)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, self._watched)
            _live(self._serve, replica)
        self._running[pid] = replica

    def _ready(self, pid: int) -> None:
        self._were_ready.add(pid)
        if self._ending:
            return
        missing = set(self._places) - set(self._running.values())
        for replica in sorted(missing, key=lambda replica: replica.number):
            self._fork(replica)

    def _reap(self) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            replica = self._running.pop(pid)
            code = os.waitstatus_to_exitcode(status)
            if self._ending:
                continue
            if pid in self._were_ready:
                _log.error("process_ended", number=replica.number, pid=pid, exit_code=code)
                time.sleep(AGAIN_SECONDS)
                self._fork(replica)
            else:
                self._status = 1
                self._end()

    def _end(self) -> None:
        self._ending = True
        for pid in self._running:
            os.kill(pid, signal.SIGTERM)


def _live(serve: Callable[[Replica], None], replica: Replica) -> None:
    """The forked process's whole life; what stands above it on the stack is its parent's."""
    code: int | str | None = 1
    try:
        serve(replica)
        code = 0
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except Exception:  # noqa: BLE001 - it must not go on as its parent, and not end without a word
        _log.exception("process_failed", number=replica.number)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0)


def _die_with(parent: int) -> None:
    """Whatever ends the parent, `kill -9` too, ends this: nobody would replace or stop it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


@contextmanager
def _reserved(host: str, port: int) -> Iterator[None]:
    """Keep the port from others, also before anybody listens; SettingsError where it is taken."""
    deadline = time.monotonic() + _PORT_SECONDS
    while True:
        try:
            # Not shared: others that share it would not be noticed.
            _bound(host, port, shared=False).close()
            break
        except OSError as problem:
            if time.monotonic() > deadline:
                raise SettingsError(f"{host}:{port} cannot be had: {problem.strerror}.") from None
            time.sleep(0.1)
    with _bound(host, port, shared=True):
        yield


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(shared))
        made.bind((host, port))
    except OSError:
        made.close()
        raise
    return made
